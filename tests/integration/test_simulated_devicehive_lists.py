"""Lists of the fake DeviceHive are cut before they are sorted, and each server has its ways."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientTimeout
from simulated_devicehive import NOW, Play, playing
from yarl import URL

from harvester.simulator.devicehive_quirks import Switches

NEWER = Switches(version="4.1.0")
BOTH = [Switches(), NEWER]
SECOND = timedelta(seconds=1)
PATH = "/device/probe/notification"


async def said_twelve(play: Play) -> str:
    """An access token, after a probe has said 0 to 11, a second apart, the last one first."""
    access = await play.probe()
    for number in reversed(range(12)):
        await play.notify(access, "t", NOW - (11 - number) * SECOND, value=number)
    return access


def values(rows: Any) -> list[int]:
    return [row["parameters"]["value"] for row in rows if row["notification"] == "t"]


def text(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


@pytest.mark.parametrize("switches", BOTH)
async def test_one_large_list_from_the_oldest_on_is_whole(switches: Switches) -> None:
    async with playing(switches) as play:
        access = await said_twelve(play)
        assert values(await play.listed(access, "probe", "notification")) == list(range(12))
        (row, *_) = await play.listed(access, "probe", "notification", notification="t")
        network = play.fake.tokens.site.devices["probe"].network
        assert row | {"id": 0} == {
            "id": 0,
            "notification": "t",
            "deviceId": "probe",
            "networkId": network,
            "deviceTypeId": 1,
            "timestamp": "2026-03-04T10:29:49.000",
            "parameters": {"value": 0},
        }
        assert play.fake.violations == []


async def test_an_old_server_takes_the_oldest_before_it_sorts() -> None:
    async with playing() as play:
        access = await said_twelve(play)

        async def page(**params: str) -> list[int]:
            status, rows = await play.ask(access, PATH, notification="t", **params)
            assert status == 200
            return values(rows)

        assert await page(take="4") == [3, 2, 1, 0], "the newest are never reached"
        assert await page(take="4", skip="4") == [3, 2, 1, 0]
        assert await page(take="4", sortOrder="desc") == [3, 2, 1, 0]
        assert await page(take="4", sortOrder="ASC") == [0, 1, 2, 3]
        assert await page(take="4", skip="4", sortOrder="any") == [4, 5, 6, 7]
        assert await page(take="4", skip="11", sortOrder="ASC") == [11]
        assert await page(take="0") == await page(take="-1") == await page(skip="99") == []


async def test_a_newer_server_takes_what_it_happens_upon() -> None:
    async with playing(NEWER) as play:
        access = await said_twelve(play)
        pages = [
            values(await play.listed(access, "probe", "notification", notification="t", take="6"))
            for _ in range(8)
        ]
        assert all(page == sorted(page) and len(page) == 6 for page in pages)
        assert len({tuple(page) for page in pages}) > 1
        assert {value for page in pages for value in page} > set(pages[0])


@pytest.mark.parametrize(("switches", "expected"), [(BOTH[0], [5]), (NEWER, [4, 5, 6])])
async def test_bounds_are_left_out_by_old_servers_only(
    switches: Switches, expected: list[int]
) -> None:
    async with playing(switches) as play:
        access = await said_twelve(play)
        start, end = NOW - 7 * SECOND, NOW - 5 * SECOND
        for bounds in (
            (text(start), text(end)),
            (text(start)[:-1], text(end)[:-1]),
            (f"{start.timestamp() * 1000:.0f}", text(end).replace("Z", "+00:00")),
        ):
            told = dict(zip(("start", "end"), bounds, strict=True))
            assert values(await play.listed(access, "probe", "notification", **told)) == expected


async def test_a_hundred_come_unless_more_is_said() -> None:
    async with playing() as play:
        access = await play.probe()
        for number in range(103):
            await play.notify(access, "t", value=number)
        _, rows = await play.ask(access, PATH)
        assert len(rows) == 100
        assert len(await play.listed(access, "probe", "notification")) == 104


@pytest.mark.parametrize(
    ("params", "status", "message"),
    [
        ({"start": "yesterday"}, 400, "Unparseable timestamp"),
        ({"end": "2026-13-01T00:00:00"}, 400, "Unparseable timestamp"),
        ({"take": "many"}, 404, "HTTP 404 Not Found"),
        ({"skip": "1.5"}, 404, "HTTP 404 Not Found"),
    ],
)
async def test_what_cannot_be_read_in_a_query_is_refused(
    params: dict[str, str], status: int, message: str
) -> None:
    async with playing() as play:
        access = await play.probe()
        expected = (status, {"error": status, "message": message})
        assert await play.ask(access, PATH, **params) == expected


async def test_a_plus_sign_that_is_not_encoded_is_a_blank() -> None:
    async with playing() as play:
        access = await play.probe()
        query = f"{PATH}?start=2026-03-04T10:00:00+00:00&sortOrder=ASC&sortField=timestamp&take=9"
        assert (await play.ask(access, query))[0] == 400
        assert play.fake.violations == ["a plus sign was not encoded"]


async def test_lists_that_lose_rows_are_no_good_clients() -> None:
    async with playing() as play:
        access = await play.probe()
        whole = {"sortField": "timestamp", "sortOrder": "ASC", "take": "10000"}
        for left_out in whole:
            params = {key: value for key, value in whole.items() if key != left_out}
            assert (await play.ask(access, PATH, **params))[0] == 200
        await play.ask(access, PATH, **whole | {"sortOrder": "DESC"})
        assert sorted(play.fake.violations) == [
            *["a list was asked for without saying how much of it"],
            *["a list was not asked for from the oldest on"] * 3,
        ]


async def test_other_fields_sort_too_and_unknown_ones_do_not() -> None:
    async with playing() as play:
        access = await play.probe()
        for name in ("b", "c", "a"):
            await play.notify(access, name, value=1)
        sorts = {}
        for field in ("notification", "NOTIFICATION", "parameters"):
            rows = await play.listed(access, "probe", "notification", sortField=field)
            sorts[field] = [row["notification"] for row in rows]
        assert sorts["notification"] == sorts["NOTIFICATION"] == ["$device-add", "a", "b", "c"]
        assert sorts["parameters"] == ["a", "c", "b", "$device-add"]


@pytest.mark.parametrize(("switches", "found"), [(BOTH[0], 1), (NEWER, 2)])
async def test_a_status_is_looked_for_exactly_by_old_servers_only(
    switches: Switches, found: int
) -> None:
    async with playing(switches) as play:
        access = await play.probe()
        for status in ("OK", "Ok", None):
            await play.order(access, status=status)
        assert len(await play.listed(access, "probe", "command", status="OK")) == found
        assert len(await play.listed(access, "probe", "command", command="valve/open")) == 3
        assert await play.listed(access, "probe", "command", command="valve") == []


async def test_sorting_commands_by_a_status_that_one_has_not_hangs() -> None:
    async with playing() as play:
        access = await play.probe()
        await play.order(access, status="OK")
        assert len(await play.listed(access, "probe", "command", sortField="status")) == 1
        await play.order(access)
        url = URL(f"{play.fake.url}/api/rest/device/probe/command?sortField=status")
        headers = {"Authorization": f"Bearer {access}"}
        with pytest.raises(asyncio.TimeoutError):
            await play.http.get(url, headers=headers, timeout=ClientTimeout(total=0.2))
        assert "a list was asked for by status" in play.fake.violations


async def test_a_device_can_be_made_to_hang_and_others_answer() -> None:
    async with playing() as play:
        access = await play.probe()
        hanging = play.fake.hang("probe")
        url = URL(f"{play.fake.url}/api/rest{PATH}")
        headers = {"Authorization": f"Bearer {access}"}
        with pytest.raises(asyncio.TimeoutError):
            await play.http.get(url, headers=headers, timeout=ClientTimeout(total=0.2))
        assert (await play.ask(access, "/device", sortField="name"))[0] == 200
        play.fake.faults.planned.remove(hanging)
        assert (await play.ask(access, PATH))[0] == 200
