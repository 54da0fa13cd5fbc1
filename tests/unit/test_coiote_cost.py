"""Coiote: how many questions a tick costs. docs/platforms/coiote.md tells these figures."""

from collections import Counter

import pytest
from told import ToldApi
from told_coiote import DAY, MINUTE, NOW, adapter

from harvester.errors import Forbidden
from harvester.model import Credentials, Feed, Window
from harvester.platforms.base import Params
from harvester.platforms.coiote import Adapter, instants

DEVICES = 500
OBJECTS = "/3/0,/3303/0,/3303/1,/3304/0,/3315/0,/3316/0"
NEWEST = Window(NOW - 10 * MINUTE, NOW)
LOOKS = [Window(NEWEST.since - age, NEWEST.until - age) for age in Adapter.looks]


class Site(ToldApi):
    """Some hundred devices of which nothing is moved, and one that is heard. It counts questions
    by their first two words."""

    def __init__(self, *, may_list: bool) -> None:
        super().__init__({})
        self._may_list = may_list
        self.counted: Counter[str] = Counter()

    async def get(self, path: str, params: Params | None = None) -> object:
        del params  # each page is the last
        words = path.removeprefix("/api/coiotedm/v3/").partition("?")[0].split("/")
        self.counted[words[0] if words[1:2] != ["find"] else "find/details"] += 1
        if words == ["devices", "find", "details"]:
            if not self._may_list:
                raise Forbidden(path, 403, {"code": 4030})
            return {"devices": [self._device(number) for number in range(DEVICES)]}
        if words[0] == "devices":
            return self._device(int(words[1])) if words[1:] else list(map(str, range(DEVICES)))
        return {"hasNext": False, "data": []} if words[0] == "deviceMonitoring" else []

    def _device(self, number: int) -> object:
        heard = NOW if number == 0 else NOW - 3 * DAY
        properties = {"registeredObjects": OBJECTS}
        contact = instants.stamp(instants.millis(heard))
        return {
            "id": str(number),
            "domain": "/a/",
            "lastContactTime": contact,
            "properties": properties,
        }


async def found(it: Adapter, site: Site) -> list[Feed]:
    listed = [each async for each in it.discover(site, Credentials("ana"))]
    site.counted.clear()
    return [feed for each in listed for feed in each.feeds if feed.stream == "readings"]


@pytest.mark.parametrize(
    ("may_list", "asked_for_contacts"),
    [(True, {"find/details": 1}), (False, {"devices": DEVICES})],
)
async def test_a_tick_costs_what_the_devices_cost_that_were_heard(
    may_list: bool, asked_for_contacts: dict[str, int]
) -> None:
    it = adapter()
    site = Site(may_list=may_list)
    feeds = await found(it, site)
    assert len(feeds) == 6 * DEVICES
    it.begin("readings", NOW)
    for feed in feeds:
        for window in (*LOOKS, NEWEST):
            assert [each async for said in it.readings(site, feed, window) for each in said] == []
    of_the_one = {"deviceMonitoring": 5 * (1 + len(LOOKS)), "cachedDataModels": 2}
    assert site.counted == asked_for_contacts | of_the_one
