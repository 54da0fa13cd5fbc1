"""Imports into the application: jobs of the management, as far as it lists them.

There is no list of exports, and not at every version one of imports: docs/platforms/usergrid.md.
"""

from collections.abc import AsyncIterator
from urllib.parse import quote

from harvester.errors import Forbidden, ServerFailed
from harvester.logs import Failures
from harvester.model import Feed, OpenTask, Said, Sample, TaskReport, Window
from harvester.platforms.base import Api
from harvester.platforms.usergrid import graph, single
from harvester.platforms.usergrid.options import UsergridOptions
from harvester.platforms.usergrid.pages import entity_of, page
from harvester.platforms.usergrid.properties import Record, instant
from harvester.platforms.usergrid.states import state_of

IMPORTS = "imports"


def path(options: UsergridOptions) -> str:
    """Of the list."""
    organization = quote(options.organization, safe="")
    application = quote(options.application, safe="")
    return f"/management/orgs/{organization}/apps/{application}/{IMPORTS}"


async def feeds(
    api: Api, options: UsergridOptions, user: str | None, failures: Failures
) -> list[Feed]:
    """None where the list is forbidden to the account, or fails as that of 2.1.0 does: that is
    told. Raises Malformed, and the other errors of `Api`.
    """
    listed = path(options)
    what = f"{user}: {listed}"
    try:
        await page(api, listed, {})
    except (Forbidden, ServerFailed) as error:
        failures.failing(what, error.reason)
        return []
    failures.well(what)
    return [Feed("task_reports", IMPORTS)]


async def pulled(api: Api, options: UsergridOptions, window: Window) -> AsyncIterator[list[Said]]:
    """The imports that were begun in the window, as they stand now.

    The list is read whole. Raises Malformed, Truncated, and the errors of `Api`.
    """
    listed = path(options)
    async for _, told in graph.pages(api, listed):
        begun = [entity for entity in told.entities if _is_of(window, entity)]
        yield [await _said(api, listed, entity) for entity in begun]


async def again(api: Api, options: UsergridOptions, task: OpenTask) -> list[Said]:
    """How an import stands now. Raises Malformed, Truncated, and the errors of `Api`."""
    listed = path(options)
    found = await single.entities(api, f"{listed}/{quote(task.task, safe='')}")
    return [await _said(api, listed, entity) for entity in found]


def _is_of(window: Window, entity: object) -> bool:
    """Whether it was created then, as far as it says: `modified` never moves."""
    created = instant(entity_of(entity).get("created"))
    return created is None or window.since <= created < window.until


async def _said(api: Api, listed: str, said: object) -> Said:
    entity = Record(said)
    if (uuid := entity.text("uuid")) is None:
        return Sample("", "", None, said)
    stated = entity.text("state")
    return TaskReport(
        identity=f"{IMPORTS}/{uuid}",
        task=uuid,
        kind="import",
        state=state_of(stated),
        stated_state=stated,
        created_at=entity.instant("created"),
        started_at=entity.instant("started"),
        updated_at=entity.instant("modified"),
        result=await _files(api, f"{listed}/{quote(uuid, safe='', errors='replace')}/files"),
        details=entity.rest(),
    )


async def _files(api: Api, path: str) -> list[object]:
    """How each file of an import fared."""
    return [
        Record(file).rest() async for _, told in graph.pages(api, path) for file in told.entities
    ]
