"""The real adapter of Usergrid over a small one of one path, at a moment of the server's clock."""

from collections.abc import Mapping
from typing import Any

from paged import BASE, PATH, Paged, Row, row, window

from harvester.model import Feed, Sample
from harvester.platforms.base import Api, Params
from harvester.platforms.usergrid import Adapter
from harvester.platforms.usergrid.options import UsergridOptions

FEED = Feed("readings", "readings")
NOW = 600_000
"""What the server's clock shows, in milliseconds after BASE."""
LIVE = (480_000, 540_000)
"""A window whose end is as far from now as the index may lag."""


def adapter(**more: object) -> Adapter:
    options: Mapping[str, object] = {
        "base_url": "https://ug.example",
        "organization": "acme",
        "application": "plant7",
        "readings": [{"path": "readings", "device": "uuid"}, {"path": "other", "device": "uuid"}],
    }
    return Adapter(UsergridOptions.model_validate({**options, **more}))


def value(number: int, ms: int, modified: int | None = None) -> Row:
    return row(number, ms, modified, v=number)


async def told(
    adapter: Adapter, api: Api, within: tuple[float, float] = LIVE, feed: Feed = FEED
) -> list[object]:
    """The values of all samples of a window."""
    answers = adapter.readings(api, feed, window(*within))
    said = [each async for batch in answers for each in batch]
    return [each.value for each in said if isinstance(each, Sample)]


def paged(*rows: Row, **more: Any) -> Paged:
    return Paged(list(rows), now=BASE + NOW, **more)


class Moved:
    """An Api at another path than a Paged is made for; or one that fails at some questions."""

    def __init__(self, api: Paged, **troubles: Exception) -> None:
        self.api, self.troubles = api, troubles

    async def get(self, path: str, params: Params | None = None) -> object:
        assert path.startswith("/acme/plant7/")
        ql = str(dict(params or {}).get("ql", "head"))
        if trouble := self.troubles.get(ql.rpartition(" ")[2]):
            self.api.asked.append(dict(params or {}))
            raise trouble
        return await self.api.get(PATH, params)
