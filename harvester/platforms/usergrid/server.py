"""The server's clock, by which entities are created and modified."""

from datetime import datetime

from harvester.errors import Forbidden, Malformed
from harvester.platforms.base import Api
from harvester.platforms.usergrid import instants, tasks
from harvester.platforms.usergrid.options import DEVICE, UsergridOptions
from harvester.platforms.usergrid.pages import below, entity_of, page


async def time(api: Api, options: UsergridOptions) -> datetime | None:
    """As told with whatever else is told; None where nothing of the application is configured.

    Raises Malformed where no time is told, and the errors of `Api`.
    """
    paths = [*(reading.path for reading in options.readings), *tasks.paths(options)]
    refusal: Forbidden | None = None
    for path in dict.fromkeys(path.partition(f"/{DEVICE}")[0] for path in paths):
        try:
            return await _told(api, below(options.root, path))
        except Forbidden as error:
            refusal = error
    if refusal:
        raise refusal
    return None


async def _told(api: Api, path: str) -> datetime:
    """Raises Forbidden where not even the refusal tells it, Malformed, and the errors of `Api`."""
    try:
        told = (await page(api, path, {"limit": 1})).told_at
    except Forbidden as error:  # a refusal tells it as well
        told = instants.millis(entity_of(error.body).get("timestamp"))
        if told is None:
            raise
    if told is None:
        raise Malformed(f"{path} tells no time")
    return instants.from_millis(told)
