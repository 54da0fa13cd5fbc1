"""An entity that is asked for by itself."""

from harvester.errors import Forbidden
from harvester.platforms.base import Api
from harvester.platforms.usergrid.pages import entity_of, page

_GONE = ("entity_not_found", "service_resource_not_found")
"""A 404 with another code is of the application, or of no application's at all."""


async def entities(api: Api, path: str) -> list[object]:
    """It comes in a list of one; none where the platform has it no more.

    Raises Malformed, and the errors of `Api`.
    """
    try:
        return (await page(api, path, {})).entities
    except Forbidden as refusal:
        if refusal.status == 404 and entity_of(refusal.body).get("error") in _GONE:
            return []
        raise
