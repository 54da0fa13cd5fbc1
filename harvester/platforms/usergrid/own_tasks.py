"""Tasks in a collection of the tenant's own, whose properties are settings."""

from harvester.model import TaskReport
from harvester.platforms.usergrid.options import TasksIn
from harvester.platforms.usergrid.properties import Record
from harvester.platforms.usergrid.states import state_of


def task(said: object, path: str, device: str | None, where: TasksIn) -> TaskReport | None:
    """None where it does not say which it is. `path` and `device` are where it was found."""
    entity = Record(said)
    if (uuid := entity.text("uuid")) is None:
        return None
    stated = entity.word(where.state)
    return TaskReport(
        identity=f"{path}/{uuid}",
        task=uuid,
        kind=_or_none(entity, where.kind) or path.rpartition("/")[2],
        state=state_of(stated, where.states),
        stated_state=stated,
        device=_or_none(entity, where.device) or device,
        created_at=entity.instant("created"),
        started_at=entity.instant(where.started, where.time_unit) if where.started else None,
        finished_at=entity.instant(where.finished, where.time_unit) if where.finished else None,
        updated_at=entity.instant("modified"),
        result=entity.value(where.result) if where.result else None,
        details=entity.rest(),
    )


def _or_none(entity: Record, name: str | None) -> str | None:
    return entity.text(name) if name else None
