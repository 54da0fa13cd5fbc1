"""A tenant's settings for Usergrid: its application, and where in it what is to be had."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import quote
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from harvester.durations import Duration
from harvester.model import TaskState
from harvester.platforms.base import Options, Secret

DEVICE = "{device}"
"""In a path: the UUID of each entity of the collection before it."""

_ORGANIZATION = "b3U6"
"""Of ids of clients: "ou:" in base64."""

Name = Annotated[str, Field(min_length=1)]
TimeUnit = Literal["ms", "s", "iso"]


def _plain(path: str) -> str:
    parts = path.split("/")
    is_odd = any(not part or "?" in part or ("{" in part and part != DEVICE) for part in parts)
    if is_odd or parts[0] == DEVICE or parts.count(DEVICE) > 1:
        raise ValueError(
            'takes a path below the application, such as "readings" or '
            '"devices/{device}/sends/readings"'
        )
    return path


Path = Annotated[str, AfterValidator(_plain)]
"""Of a collection, or of a connection: without slashes at its ends, with one DEVICE at most."""


def _uuid(said: str) -> str:
    try:
        return str(UUID(said))
    except ValueError:
        raise ValueError("takes the UUID that was told to whoever began the job") from None


JobId = Annotated[str, AfterValidator(_uuid)]
"""In any spelling in the file; here in the usual one."""


class _Where(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    path: Path


class ReadingsIn(_Where):
    """Where readings are, and which property of an entity is what. Dots lead into objects.

    `time` is the reading's own instant. `device` names it; without that, or where an entity has no
    such property, it is the path's. A channel is any other scalar, unless `include` (none: all) or
    `exclude` say otherwise, in shell patterns. With `channel`, an entity is one reading: `value` is
    the property that holds it.
    """

    time: Name = "created"
    time_unit: TimeUnit = "ms"
    device: Name | None = None
    include: tuple[Name, ...] = ()
    exclude: tuple[Name, ...] = ()
    channel: Name | None = None
    value: Name = "value"

    @model_validator(mode="after")
    def _has_a_device(self) -> Self:
        if self.device is None and DEVICE not in self.path:
            raise ValueError("give device, the property that names it, or {device} in the path")
        return self


class TasksIn(_Where):
    """A collection of the tenant's own, an entity of which is a task. Dots lead into objects.

    `states` say what its words mean, in any case, beside those that we know. `kind` is a property;
    without one it is the collection's name. The times are properties too.
    """

    state: Name = "state"
    states: Mapping[str, TaskState] = {}
    kind: Name | None = None
    device: Name | None = None
    started: Name | None = None
    finished: Name | None = None
    time_unit: TimeUnit = "ms"
    result: Name | None = None


class UsergridOptions(Options):
    """An application, the level its accounts log in at, and maybe a client of that level.

    Every installation has its own `base_url`. `ttl_seconds` is asked for with each login; without
    it the installation decides, and with a larger one than it allows no login succeeds.

    `index_lag` is how long the index may take to know an entity: nothing younger is asked of it.
    All that is new is gone over once more each `sweep`, past the index. `notifications` are
    harvested as tasks; so are the `imports` and `exports` that are named, for nothing lists them.
    """

    organization: Name
    application: Name
    level: Literal["application", "management"] = "application"
    client_id: Name | None = None
    client_secret: Secret | None = None
    ttl_seconds: Annotated[int, Field(gt=0)] | None = None
    readings: tuple[ReadingsIn, ...] = ()
    tasks: tuple[TasksIn, ...] = ()
    notifications: bool = False
    imports: tuple[JobId, ...] = ()
    exports: tuple[JobId, ...] = ()
    index_lag: Duration = timedelta(seconds=60)
    sweep: Duration = timedelta(hours=6)

    @model_validator(mode="after")
    def _whole_client_or_none(self) -> Self:
        if (self.client_id is None) is not (self.client_secret is None):
            raise ValueError("a client takes client_id and client_secret: give both or none")
        return self

    @model_validator(mode="after")
    def _each_is_given_once(self) -> Self:
        paths = (tuple(each.path.casefold() for each in of) for of in (self.readings, self.tasks))
        for given in (*paths, self.imports, self.exports):
            if twice := next((each for each in given if given.count(each) > 1), None):
                raise ValueError(f"{twice} is given twice: each is read once")
        return self

    @model_validator(mode="after")
    def _tasks_are_told_once(self) -> Self:
        told = ["notifications", "receipts"] if self.notifications else []
        told += ["imports"] if self.imports else []
        told += ["exports"] if self.exports else []
        if twice := next((each.path for each in self.tasks if each.path.casefold() in told), None):
            raise ValueError(
                f"tasks at {twice} are harvested already, by notifications, imports or exports"
            )
        return self

    @model_validator(mode="after")
    def _jobs_can_be_asked_for(self) -> Self:
        is_of_it = (self.client_id or "").startswith(_ORGANIZATION)
        if (self.imports or self.exports) and self.level == "application" and not is_of_it:
            raise ValueError(
                'imports and exports are an organization\'s: set level = "management", for its '
                "admin users, or give client_id and client_secret of a client of the organization "
                f"(its id begins with {_ORGANIZATION})"
            )
        return self

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.readings or self.tasks or self.notifications or self.imports or self.exports):
            raise ValueError(
                "names nothing to harvest: add [[tenant.options.readings]], with the path where "
                "readings are; or tasks, notifications, imports or exports"
            )
        return self

    @model_validator(mode="after")
    def _looks_come_after_sweeps(self, info: ValidationInfo) -> Self:
        # A sweep leaves out what the index knows: there must be a look to come that tells it.
        looks = (info.context or {}).get("looks")
        if not self.readings or looks is None:
            return self
        if max(looks, default=timedelta()) < self.sweep + self.index_lag:
            raise ValueError(
                "sweep and index_lag together are more than the last of looks: shorten sweep, or "
                "add a later look"
            )
        return self

    @property
    def level_url(self) -> str:
        """Below this are the users of the level, and its tokens."""
        base = self.base_url.rstrip("/")
        return f"{base}/management" if self.level == "management" else f"{base}{self.root}"

    @property
    def root(self) -> str:
        """The path of the application, below `base_url`."""
        return f"/{quote(self.organization, safe='')}/{quote(self.application, safe='')}"
