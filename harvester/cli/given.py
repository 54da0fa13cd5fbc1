"""What commands were given, and what is wrong with it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer
from pydantic import TypeAdapter, ValidationError

from harvester import config
from harvester.config import Settings, Tenant
from harvester.config.tree import nearest
from harvester.durations import Duration

_DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)


def configured(config_file: Path, tenant: str | None) -> tuple[Settings, list[Tenant]]:
    """The settings, and the tenant of this name, or all where none is named."""
    settings = config.load(config_file)
    if tenant is None:
        return settings, list(settings.tenants)
    names = [each.name for each in settings.tenants]
    chosen(tenant, names, what="tenant", hint="TENANT")
    return settings, [each for each in settings.tenants if each.name == tenant]


def chosen(name: str, known: Iterable[str], *, what: str, hint: str) -> None:
    """Refuse a name that is not known, with the one that was meant."""
    choice = list(known)
    if name not in choice:
        raise typer.BadParameter(f"no {what} {name!r}; {nearest(name, choice)}", param_hint=hint)


def one_form(as_json: bool, as_csv: bool) -> None:
    """Refuse two forms at once."""
    if as_json and as_csv:
        raise typer.BadParameter("cannot go with --json; choose one", param_hint="--csv")


def duration(text: str, option: str) -> timedelta:
    """As a configuration has it: "36h"."""
    try:
        return _DURATION.validate_python(text)
    except ValidationError as error:
        told = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise typer.BadParameter(f"{text!r}: {told}", param_hint=option) from None


def instant(text: str | None, option: str, now: datetime) -> datetime | None:
    """An instant in ISO 8601 with its zone, or a duration back from now."""
    if text is None:
        return None
    try:
        return now - _DURATION.validate_python(text)
    except ValidationError:
        return _dated(text, option)


def _dated(text: str, option: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo:
            return found.astimezone(UTC)
        told = "names no zone; write 2026-03-04T10:00:00Z, or with +01:00"
    except (ValueError, OverflowError):  # OverflowError: beyond the years of a datetime in UTC
        told = "is no instant; write 2026-03-04T10:00:00Z, or 24h for a day ago"
    raise typer.BadParameter(f"{text!r} {told}", param_hint=option)
