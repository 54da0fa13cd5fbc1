"""Push notifications and their receipts: what comes nearest to tasks on Usergrid itself.

A notification is a task, and a receipt tells what became of it on one device.
"""

from harvester.model import TaskReport
from harvester.platforms.usergrid.properties import Record
from harvester.platforms.usergrid.states import state_of

NOTIFICATIONS = "notifications"
RECEIPTS = "receipts"


def notification(said: object) -> TaskReport | None:
    """None where it does not say which it is.

    When it is to be delivered, and when it expires, may be in seconds or in milliseconds: both stay
    among the details as they were said.
    """
    entity = Record(said)
    if (task := entity.text("uuid")) is None:
        return None
    stated = entity.text("state")
    return TaskReport(
        identity=f"{NOTIFICATIONS}/{task}",
        task=task,
        kind="notification",
        state=state_of(stated),
        stated_state=stated,
        created_at=entity.instant("created"),
        started_at=entity.instant("started"),
        finished_at=entity.instant("finished"),
        updated_at=entity.instant("modified"),
        result=_outcome(entity, "statistics", "errorMessage"),
        details=entity.rest(),
    )


def receipt(said: object) -> TaskReport | None:
    """None where it does not say which it is. Two of one notification on one device are one."""
    entity = Record(said)
    if (uuid := entity.text("uuid")) is None:
        return None
    task, device = entity.uuid("notificationUUID"), entity.uuid("deviceId")
    sent_at = entity.instant("sent")
    # A code may be 0, and a blank is no message.
    failed = entity.value("errorCode") is not None or entity.text("errorMessage") is not None
    return TaskReport(
        identity=identity(task, device) if task and device else f"{RECEIPTS}/{uuid}",
        task=task or uuid,
        kind="receipt",
        state="failed" if failed else "succeeded" if sent_at else "pending",
        device=device,
        created_at=entity.instant("created"),
        finished_at=sent_at,
        updated_at=entity.instant("modified"),
        result=_outcome(entity, "errorCode", "errorMessage"),
        details=entity.rest(),
    )


def identity(task: str, device: str) -> str:
    """Of what the receipts say of a notification on a device."""
    return f"{RECEIPTS}/{task}/{device}"


def _outcome(entity: Record, *names: str) -> dict[str, object] | None:
    told = {name: said for name in names if (said := entity.value(name)) is not None}
    return told or None
