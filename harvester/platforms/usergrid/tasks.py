"""Task reports: where they are, and how what is found there is read.

The platform may change a task of its own and leave `modified` as it was: so a window holds those
that came up in it, and one that is open is asked for by itself as well.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial

from harvester.errors import Forbidden
from harvester.logs import Failures
from harvester.model import Feed, OpenTask, Said, Sample, TaskReport, Window
from harvester.platforms.base import Api
from harvester.platforms.usergrid import notifications, own_tasks, single
from harvester.platforms.usergrid.asking import Asking
from harvester.platforms.usergrid.options import DEVICE, UsergridOptions
from harvester.platforms.usergrid.pages import LIMIT, below, page
from harvester.platforms.usergrid.sources import device_in

Read = Callable[[object], TaskReport | None]
"""From an entity to its report; None where it does not say which task it is."""

_PUSHED: Mapping[str, Read] = {
    notifications.NOTIFICATIONS: notifications.notification,
    notifications.RECEIPTS: notifications.receipt,
}


def paths(options: UsergridOptions) -> tuple[str, ...]:
    """Where tasks are, below the application; with the device filled in, the keys of feeds."""
    own = tuple(where.path for where in options.tasks)
    return (*_PUSHED, *own) if options.notifications else own


def feeds(path: str, device: str | None = None) -> list[Feed]:
    """Of all tasks there, or of those of one device, where each has a path of its own."""
    devices = (device,) if device else ()
    return [Feed("task_reports", path.replace(DEVICE, device or ""), devices)]


async def pulled(
    api: Api, options: UsergridOptions, feed: Feed, window: Window, failures: Failures
) -> AsyncIterator[list[Said]]:
    """The reports of what was last modified in the window, an answer at a time.

    Raises Malformed, Truncated, and the errors of `Api`.
    """
    read = _reader(options, feed.key)
    asking = Asking(api, below(options.root, feed.key), "modified", window)
    async for entities in asking.pages():
        yield [_said(read, entity) for entity in entities]
    asking.tell(failures)


async def again(api: Api, options: UsergridOptions, feed: Feed, task: OpenTask) -> Sequence[Said]:
    """How a task stands now; nothing where the platform has it no more.

    Raises Malformed, Truncated, and the errors of `Api`.
    """
    read = _reader(options, feed.key)
    reports = [read(entity) for entity in await _found(api, options, task)]
    return [report for report in reports if report and report.identity == task.identity]


async def _found(api: Api, options: UsergridOptions, task: OpenTask) -> list[object]:
    """What there is of a task. The identity of others than receipts is their path."""
    if task.device and task.identity == notifications.identity(task.task, task.device):
        ql = f"select * where notificationUUID = {task.task} and deviceId = {task.device}"
        told = await page(
            api, below(options.root, notifications.RECEIPTS), {"ql": ql, "limit": LIMIT}
        )
        return told.entities
    return await single.entities(api, below(options.root, task.identity))


def _said(read: Read, entity: object) -> Said:
    """What is out of shape becomes a sample without a channel, to be rejected in the open."""
    return read(entity) or Sample("", "", None, entity)


def _reader(options: UsergridOptions, path: str) -> Read:
    """Raises Forbidden where the tenant's options know of no such path any more."""
    if options.notifications and path in _PUSHED:
        return _PUSHED[path]
    for where in options.tasks:
        if (device := device_in(where.path, path)) is not None:
            return partial(own_tasks.task, path=path, device=device or None, where=where)
    raise Forbidden(f"{path} is not configured any more", 404)
