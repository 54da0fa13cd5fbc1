"""The settings as the rest of the program sees them: checked, complete and frozen."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    model_validator,
)

from harvester.config.references import KEYS_WANTED
from harvester.config.tree import Location, Tree, at, nearest
from harvester.config.urls import is_host
from harvester.durations import Duration
from harvester.platforms import adapter, names
from harvester.platforms.base import SHARE, Options, Secret
from harvester.vault import KeyFile, KeySource, KeyVariable, OwnKeyFile

_SHORTEST_TICK = timedelta(minutes=1)

_TENANT_NAME = re.compile(r"[a-z0-9_-]{1,40}")
_ELSEWHERE = {"host", "hostaddr", "port", "service"}
_PASSWORD_IN_DSN = re.compile(r"//[^@]*:[^@]*@|[?&](ssl)?password=", re.IGNORECASE)


def _tenant_name(value: str) -> str:
    if not _TENANT_NAME.fullmatch(value):
        raise ValueError('takes 1 to 40 of these: a to z, 0 to 9, "_" and "-"')
    return value


def _platform(value: str) -> str:
    if value not in names():
        raise ValueError(f"unknown platform; {nearest(value, names())}")
    return value


def _options(value: object, info: ValidationInfo) -> Options:
    if "platform" not in info.data:  # unknown, and told already
        return Options.model_construct(base_url="")
    return adapter(info.data["platform"]).Options.model_validate(value, context=info.data)


def _platform_looks(tenant: dict[str, Any]) -> tuple[timedelta, ...]:
    # Some versions of pydantic ask even where the platform was found wrong.
    return adapter(tenant["platform"]).looks if "platform" in tenant else ()


def _dsn(value: str) -> str:
    # The value must not be shown, and not be taken apart either: a "/" or "#" in the password
    # would make a host of its beginning.
    if _PASSWORD_IN_DSN.search(value):
        raise ValueError(
            'must not hold a password: give it as database.password, by reference (an "@" that '
            'belongs to a name is written "%40")'
        )
    if not value.startswith(("postgresql://", "postgres://")):
        raise ValueError("takes postgresql://user@host/database")
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018  asking is what checks it
    except ValueError:
        raise ValueError("takes a port from 1 to 65535") from None
    _one_host(parts)
    return value


def _one_host(parts: SplitResult) -> None:
    """It decides about TLS, so nothing else may lead the connection to another one."""
    try:
        names = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
    except ValueError:
        raise ValueError("takes name=value behind the ?, with & between two") from None
    if "," in parts.netloc or parts.netloc.count("@") > 1 or _ELSEWHERE & names.keys():
        raise ValueError("takes one host, before the path: postgresql://user@host:port/database")
    _host(parts.hostname or "")


def _host(value: str) -> str:
    if not is_host(value):
        raise ValueError("takes a host such as db.example or 127.0.0.1")
    return value


def _named(value: object) -> object:
    if value == "":
        raise ValueError("takes a path; to leave it to harvester, leave the key out")
    return value


def _placed(path: Path, info: ValidationInfo) -> Path:
    try:
        return Path((info.context or {}).get("folder", ""), path.expanduser())
    except RuntimeError:
        raise ValueError("~ stands for no home here; write the whole path") from None


def _key_source(value: object, info: ValidationInfo) -> KeySource | None:
    if value is None or isinstance(value, KeyVariable):  # None: leads nowhere, and told already
        return value
    if not isinstance(value, str):
        raise ValueError(KEYS_WANTED)
    return KeyFile(_placed(Path(str(_named(value))), info))


def _repeated(values: Iterable[str]) -> str:
    return ", ".join(value for value, times in Counter(values).items() if times > 1)


Placed = Annotated[Path, BeforeValidator(_named), AfterValidator(_placed)]
"""A path; in the file it is relative to the file's own folder."""
Text = Annotated[str, Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Database(_Table):
    """Where the readings go; without a `dsn` into the embedded Postgres."""

    dsn: Annotated[str, AfterValidator(_dsn)] | None = None
    password: Secret | None = None
    partition: Literal["month", "week", "day"] = "month"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.password and not self.dsn:
            raise ValueError("has a password but no dsn; the embedded Postgres makes its own")
        return self


class Web(_Table):
    """Where `/metrics` is served; port 0 is any free one."""

    host: Annotated[Text, AfterValidator(_host)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 9464


class Account(_Table):
    """One user of a tenant: a password, or a token got by hand where its platform takes one.

    With nothing, a token in the database must do.
    """

    user: Text
    password: Secret | None = None
    refresh_token: Secret | None = None
    access_token: Secret | None = None

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if len(self.secrets) > 1:
            raise ValueError(f"takes one of {', '.join(self.secrets)}, not all")
        return self

    @property
    def secrets(self) -> list[str]:
        """The keys of what is given to log in with."""
        return [key for key in ("password", "refresh_token", "access_token") if getattr(self, key)]


class Tenant(_Table):
    """One customer on one platform; `options` are of that platform's own type."""

    name: Annotated[str, AfterValidator(_tenant_name)]
    platform: Annotated[str, AfterValidator(_platform)]
    interval: Duration
    history: Duration
    looks: tuple[Duration, ...] = Field(default_factory=_platform_looks)
    follow_up: Duration = timedelta(days=30)
    """How long a report of a task that is not over is asked for again, since it was first seen."""
    options: Annotated[Options, BeforeValidator(_options)]
    accounts: tuple[Account, ...] = Field(default=(), alias="account")

    @property
    def polled_every(self) -> timedelta:
        """The `interval`, or less where its platform forgets too soon for that."""
        retention = adapter(self.platform)(self.options).retention
        return min(self.interval, retention / SHARE) if retention else self.interval

    @property
    def longest_tick(self) -> timedelta:
        """As long as it is until the next one, which goes on with what is left; or a minute."""
        return max(self.polled_every, _SHORTEST_TICK)

    @model_validator(mode="after")
    def _secrets_taken(self) -> Self:
        takes = adapter(self.platform).takes
        for account in self.accounts:
            for key in account.secrets:
                if key not in takes:
                    raise ValueError(f"{self.platform} takes no {key} of an account")
        return self

    @model_validator(mode="after")
    def _each_user_once(self) -> Self:
        if repeated := _repeated(account.user for account in self.accounts):
            raise ValueError(f"two accounts have the same user: {repeated}")
        return self


class Settings(_Table):
    """Everything configured. `key_file` is None where the state directory's own is to be used."""

    deployment: Text = "harvester"
    state_directory: Placed
    key_file: Annotated[KeySource | None, PlainValidator(_key_source)] = None
    database: Database = Database()
    web: Web = Web()
    auth_events: Duration = timedelta(days=90)
    """How long the audit trail of token calls is kept."""
    tenants: tuple[Tenant, ...] = Field(alias="tenant")

    @property
    def keys(self) -> KeySource:
        """Where the key ring is, as configured or in the state directory's own file."""
        return self.key_file or OwnKeyFile(self.state_directory / "keys")

    @model_validator(mode="after")
    def _each_tenant_once(self) -> Self:
        if not self.tenants:
            raise ValueError("no tenant: there is nothing to harvest; add a [[tenant]]")
        if repeated := _repeated(tenant.name for tenant in self.tenants):
            raise ValueError(f"two tenants have the same name: {repeated}")
        return self


_TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    (): Settings,
    ("database",): Database,
    ("web",): Web,
    ("tenant",): Tenant,
    ("tenant", "account"): Account,
}


def keys_of(tree: Tree, location: Location) -> list[str]:
    """The right keys of the table at a location."""
    path = tuple(part for part in location if isinstance(part, str))
    model = _TABLES.get(path)
    platform = at(tree, (*location[:2], "platform"))
    if path[:2] == ("tenant", "options") and isinstance(platform, str):
        model = _below(adapter(platform).Options, path[2:])
    return [each.alias or name for name, each in model.model_fields.items()] if model else []


def _below(model: type[BaseModel], path: tuple[str, ...]) -> type[BaseModel] | None:
    """The table that a list of tables in this one holds, and so on."""
    for key in path:
        held = get_args(model.model_fields[key].annotation)
        if not (held and isinstance(held[0], type) and issubclass(held[0], BaseModel)):
            return None
        model = held[0]
    return model
