"""A tenant's settings for Usergrid: its application, and where in it what is to be had."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from harvester.durations import Duration
from harvester.model import TaskState
from harvester.platforms.base import Options, Secret

DEVICE = "{device}"
"""In a path: the UUID of each entity of the collection before it."""

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
    All that is new is gone over once more each `sweep`, past the index. `notifications` and `jobs`
    (imports and exports, for an admin user or the organization's client) are harvested as tasks.
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
    jobs: bool = False
    index_lag: Duration = timedelta(seconds=60)
    sweep: Duration = timedelta(hours=6)

    @model_validator(mode="after")
    def _whole_client_or_none(self) -> Self:
        if (self.client_id is None) is not (self.client_secret is None):
            raise ValueError("a client takes client_id and client_secret: give both or none")
        return self

    @model_validator(mode="after")
    def _paths_differ(self) -> Self:
        for where in (self.readings, self.tasks):
            paths = [each.path.casefold() for each in where]
            if twice := next((path for path in paths if paths.count(path) > 1), None):
                raise ValueError(f"{twice} is given twice: each path is read once")
        return self

    @model_validator(mode="after")
    def _tasks_are_told_once(self) -> Self:
        told = ["notifications", "receipts"] if self.notifications else []
        told += ["imports"] if self.jobs else []
        if twice := next((each.path for each in self.tasks if each.path.casefold() in told), None):
            raise ValueError(f"tasks at {twice} are harvested by notifications or jobs already")
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
