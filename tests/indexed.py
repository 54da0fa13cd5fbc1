"""Windows that are asked of an index of Usergrid by `ql`."""

from typing import Any

from paged import PATH, Row, window

from harvester.model import Window
from harvester.platforms.base import Api
from harvester.platforms.usergrid.asking import Asking, Axis


async def pages(api: Api, within: Window | None = None, axis: Axis = "created") -> list[list[Row]]:
    asked = Asking(api, PATH, axis, within or window())
    told: list[list[Any]] = [page async for page in asked.pages()]
    return told


async def numbers(api: Api, within: Window | None = None, axis: Axis = "created") -> list[str]:
    """The UUIDs of all that was handed on."""
    return [each["uuid"] for page in await pages(api, within, axis) for each in page]
