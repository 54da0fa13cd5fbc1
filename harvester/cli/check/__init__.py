"""Whether all is there that the daemon needs; nothing is changed, and no token is burnt."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import typer

from harvester import config, shown
from harvester.cli.check.findings import Finding, Subject
from harvester.cli.check.horizon import horizons
from harvester.cli.check.keeping import kept
from harvester.cli.check.probing import probed
from harvester.cli.given import duration
from harvester.clock import SystemClock
from harvester.config import Settings
from harvester.errors import ConfigError


def check(config_file: Path, if_down_for: str | None, as_json: bool) -> None:
    """Raises typer.Exit with the code of the first thing that is wrong."""
    down = duration(if_down_for, "--if-down-for") if if_down_for is not None else None
    findings = _findings(config_file, down)
    if as_json:
        shown.write_json(
            {"what": each.what, "name": each.name, "state": each.state, "told": each.told}
            for each in findings
        )
    else:
        cells = ((each.what, each.name, each.state, each.told) for each in findings)
        shown.console().print(shown.table(cells, "what", "name", "state", ""))
    raise typer.Exit(next((each.exit_code for each in findings if each.exit_code), 0))


def _findings(config_file: Path, down: timedelta | None) -> list[Finding]:
    subject = Subject("configuration", str(config_file))
    try:
        settings = config.load(config_file)
    except ConfigError as error:
        lines = str(error).splitlines()
        return [subject.wrong(line.removeprefix(f"{config_file}: ")) for line in lines]
    accounts = sum(len(each.accounts) for each in settings.tenants)
    told = f"{len(settings.tenants)} tenants, {accounts} accounts"
    return [subject.ok(told), *_hurried(settings), *asyncio.run(_outside(settings, down))]


def _hurried(settings: Settings) -> Iterator[Finding]:
    """Tenants that are polled more often than they are configured: no fault."""
    for each in settings.tenants:
        if each.polled_every < each.interval:
            every, wanted = shown.duration(each.polled_every), shown.duration(each.interval)
            told = f"polled every {every} and not every {wanted}, as its platform soon forgets"
            yield Subject("configuration", each.name).ok(told)


async def _outside(settings: Settings, down: timedelta | None) -> list[Finding]:
    clock = SystemClock()
    of_keeping = await kept(settings)
    if down is not None:
        until = clock.now() + down
        return of_keeping.findings + list(horizons(settings, of_keeping.logins, until))
    of_tenants = await asyncio.gather(
        *(probed(each, of_keeping.logins, clock) for each in settings.tenants)
    )
    return of_keeping.findings + [each for findings in of_tenants for each in findings]
