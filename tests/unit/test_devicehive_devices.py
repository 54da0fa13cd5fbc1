"""DeviceHive: the server's own words of itself, and which devices are found."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs
from told import Told, ToldApi

from harvester.errors import Forbidden, Malformed, RequestRefused, ServerFailed, Truncated
from harvester.model import Credentials, Device, Discovered, Feed
from harvester.platforms.devicehive import Adapter, devices as listed
from harvester.platforms.devicehive.options import DeviceHiveOptions

ANA = Credentials("ana", "p")
INFO = {
    "apiVersion": "3.5.0",
    "serverTimestamp": "2026-03-04T05:06:07.089",
    "webSocketServerUrl": "ws://dh.example:8080/dh/websocket",
}
TYPES = [{"id": 1, "name": "Probe", "description": None}, {"id": 2, "name": "Valve"}]
NETWORKS = [{"id": 7, "name": "Greenhouse 7", "description": None}]
SERVER: dict[str, Told] = {"/info": INFO, "/devicetype": TYPES, "/network": NETWORKS}


def device(identifier: object = "a", **more: object) -> dict[str, Any]:
    said = {"id": identifier, "name": f"Probe {identifier}", "data": {}, "networkId": 7}
    return said | {"deviceTypeId": 1, "isBlocked": False} | more


def seen(name: str, kind: str | None = "Probe") -> Discovered:
    feeds = (Feed("readings", name, (name,)), Feed("task_reports", name, (name,)))
    return Discovered(Device(name, f"Probe {name}", kind), feeds)


def adapter(**options: object) -> Adapter:
    given = {"base_url": "https://dh.example/api/rest", **options}
    return Adapter(DeviceHiveOptions.model_validate(given))


async def discovered(told: Told, **answers: Told) -> list[Discovered]:
    changed = {f"/{path}": answer for path, answer in answers.items()}
    api = ToldApi(SERVER | {"/device": told} | changed)
    return [each async for each in adapter().discover(api, ANA)]


async def test_a_device_has_a_feed_of_notifications_and_one_of_commands() -> None:
    rows = [device("a"), device("b", deviceTypeId=2), device("c", deviceTypeId=9)]
    assert await discovered(rows) == [seen("a"), seen("b", "Valve"), seen("c", None)]


async def test_a_blocked_device_is_pulled_on() -> None:
    assert await discovered([device(isBlocked=True)]) == [seen("a")]


async def test_devices_are_asked_for_in_the_one_order_that_the_platform_has() -> None:
    api = ToldApi(SERVER | {"/device": [device()]})
    assert [each async for each in adapter().discover(api, ANA)]
    asked = {"sortField": "name", "sortOrder": "ASC", "take": listed.PAGE, "skip": 0}
    assert [params for path, params in api.asked if path == "/device"] == [asked]


@pytest.mark.parametrize(
    "types",
    [Forbidden("", 403), Forbidden("", 404), Malformed(""), RequestRefused("", 400), {}, None],
)
async def test_devices_are_found_where_their_types_may_not_be_seen(types: Told) -> None:
    assert await discovered([device()], devicetype=types) == [seen("a", None)]


@pytest.mark.parametrize(
    "odd",
    [None, 7, "x", [], {}, device(None), device(""), device(" "), device(True), device([])],
)
async def test_a_device_that_cannot_be_told_apart_does_not_hide_the_others(odd: object) -> None:
    with capture_logs() as logs:
        assert await discovered([odd, device()]) == [seen("a")]
    assert [(each["reason"], each["devices"]) for each in logs] == [("device_without_id", 1)]


@pytest.mark.parametrize(
    ("said", "name"), [(None, None), ("", None), (" ", None), ([], None), (7, "7")]
)
async def test_a_device_may_have_no_name(said: object, name: str | None) -> None:
    [found] = await discovered([device(name=said, data=None)])
    assert found.device and found.device.name == name


@pytest.mark.parametrize("trouble", [Forbidden("", 403), ServerFailed(""), {}, None, "x", 7])
async def test_a_list_that_cannot_be_had_ends_the_discovery(trouble: Told) -> None:
    with pytest.raises((Forbidden, ServerFailed, Malformed)):
        await discovered(trouble)


Order = Callable[[list[dict[str, Any]], int], list[dict[str, Any]]]
"""The order of rows as it is when the page from that row is asked for."""


def in_order(rows: list[dict[str, Any]], _skip: int) -> list[dict[str, Any]]:
    return rows


def other_order_each_time(rows: list[dict[str, Any]], skip: int) -> list[dict[str, Any]]:
    """As of equal names: the first row comes again on the second page, and another nowhere."""
    return rows[1:] + rows[:1] if skip == listed.PAGE else rows


class Pages:
    def __init__(self, devices: int, order: Order = in_order) -> None:
        self.rows = [device(f"d{n}") for n in range(devices)]
        self.order = order
        self.asked: list[int] = []

    def told(self, params: dict[str, Any]) -> object:
        skip = params["skip"]
        self.asked.append(skip)
        # Once more through the list, it is as it should be.
        order = self.order if self.asked.count(skip) == 1 else in_order
        return order(self.rows, skip)[skip : skip + params["take"]]


@pytest.mark.parametrize("order", [in_order, other_order_each_time])
@pytest.mark.parametrize("devices", [0, 1, 999, 1000, 1001, 2000, 2500])
async def test_pages_are_followed_until_each_device_came_once(devices: int, order: Order) -> None:
    pages = Pages(devices, order)
    found = [each.feeds[0].key for each in await discovered(pages.told)]
    assert sorted(found) == sorted(f"d{n}" for n in range(devices))
    if order is in_order:
        assert pages.asked == list(range(0, devices + 1, listed.PAGE))


async def test_a_list_without_pages_is_read_all_the_same() -> None:
    rows = [device(f"d{n}") for n in range(1500)]
    assert len(await discovered(rows)) == 1500


async def test_a_list_without_end_is_not_followed_for_ever(monkeypatch: Any) -> None:
    monkeypatch.setattr(listed, "PAGE", 2)
    with pytest.raises(Truncated):
        await discovered(lambda params: [device(f"d{params['skip'] + n}") for n in range(2)])


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"network": []}, "no_networks_granted"),
        ({"network": [], "devicetype": []}, "no_networks_granted"),
        ({"devicetype": []}, "no_device_types_granted"),
        ({}, None),
        ({"network": Forbidden("", 403), "devicetype": Forbidden("", 403)}, None),
    ],
)
async def test_a_user_to_whom_nothing_was_granted_is_told_of_once(
    answers: dict[str, Told], reason: str | None
) -> None:
    given = {f"/{path}": answer for path, answer in answers.items()}
    api = ToldApi(SERVER | {"/device": []} | given)
    asked = adapter()
    with capture_logs() as logs:
        for rows in ([], [], [device()], [device()]):
            api.answers = {**api.answers, "/device": rows}
            assert len([each async for each in asked.discover(api, ANA)]) == len(rows)
    told = [(each["event"], each["what"], each.get("reason")) for each in logs]
    failing = [("failing", "ana devices", reason), ("well again", "ana devices", None)]
    assert told == (failing if reason else [])


async def told_time(info: Told, **options: object) -> datetime:
    return await adapter(**options).time(ToldApi({"/info": info}))


@pytest.mark.parametrize("zone", ["", "Z", "+00:00"])
async def test_the_axis_goes_by_the_servers_clock(zone: str) -> None:
    said = INFO | {"serverTimestamp": f"2026-03-04T05:06:07.089{zone}"}
    assert await told_time(said) == datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)


@pytest.mark.parametrize("version", [None, "", "x", 4, [], "v4", "-4"])
async def test_a_version_that_cannot_be_read_costs_no_time(version: object) -> None:
    assert await told_time(INFO | {"apiVersion": version})


@pytest.mark.parametrize("stamp", [None, "", "soon", 1772600767089, [], {}])
async def test_a_server_without_a_time_is_none(stamp: object) -> None:
    with pytest.raises(Malformed, match="serverTimestamp"):
        await told_time(INFO | {"serverTimestamp": stamp})


@pytest.mark.parametrize(
    "trouble",
    [
        Forbidden("GET dh.example/info: 404", 404),
        Malformed("GET dh.example/info: 200 with text/html, not JSON", "<html>"),
        RequestRefused("GET dh.example/info: 301", 301),
    ],
)
async def test_a_base_url_that_leads_elsewhere_is_told_plainly(trouble: Exception) -> None:
    with pytest.raises(Malformed, match=r"dh\.example/info.*base_url ends in /rest") as caught:
        await told_time(trouble)
    assert caught.value.excerpt == getattr(trouble, "excerpt", "")
    with pytest.raises(Malformed, match="base_url"):
        await discovered([device()], info=trouble)


def test_what_is_kept_is_short_lived_and_asked_for_as_a_whole() -> None:
    asked = adapter(retention="10m")
    assert asked.retention == timedelta(minutes=10)
    assert adapter().retention == timedelta(minutes=2)
    assert asked.whole == set(asked.streams) == {"readings", "task_reports"}
    assert (asked.looks, asked.axis_is_instant) == ((), False)
