"""Usergrid: which paths an account may read, whose they are, and what the server's time is."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs
from told import Told, ToldApi

from harvester.errors import (
    Forbidden,
    Malformed,
    PlatformError,
    RequestRefused,
    ServerFailed,
    Throttled,
    TokenError,
    TooLarge,
    Truncated,
    Unreachable,
)
from harvester.model import Credentials, Device, Discovered, Feed
from harvester.platforms.usergrid import Adapter
from harvester.platforms.usergrid.options import UsergridOptions

ANA = Credentials("ana", "p")
ROOT = "/acme/plant%207"
TIME = 1_691_301_600_412
EMPTY: Mapping[str, object] = {"action": "get", "entities": [], "timestamp": TIME}
REFUSED: Mapping[str, object] = {"error": "unauthorized", "timestamp": TIME}
SIX_HOURS = timedelta(hours=6)
PUMPS, ROOMS = "devices/{device}/sends/readings", "devices/{device}/in/rooms"


def adapter(*paths: str, **more: object) -> Adapter:
    """With readings at these paths."""
    readings = [{"path": path, "device": "device"} for path in paths]
    options: dict[str, object] = {"base_url": "https://ug.example", "organization": "acme"}
    options |= {"application": "plant 7", "readings": readings}
    return Adapter(UsergridOptions.model_validate(options | more))


def answered(*entities: object, **more: object) -> dict[str, object]:
    return {**EMPTY, "entities": list(entities), **more}


def feeds(path: str, *devices: str) -> list[Feed]:
    return [
        Feed("readings", path, devices),
        Feed("readings", f"{path} by modified", devices, from_now=True),
        Feed("readings", f"{path} by graph", every=SIX_HOURS),
    ]


async def found(
    api: ToldApi, usergrid: Adapter, credentials: Credentials = ANA
) -> list[Discovered]:
    return [each async for each in usergrid.discover(api, credentials)]


async def test_a_path_of_all_devices_has_three_feeds_of_none() -> None:
    api = ToldApi({f"{ROOT}/readings": EMPTY, f"{ROOT}/air/quality%20A": EMPTY})
    usergrid = adapter("readings", "air/quality A")
    expected = Discovered(None, (*feeds("readings"), *feeds("air/quality A")))
    assert await found(api, usergrid) == [expected]
    assert [asked for _, asked in api.asked] == [{"limit": 1}] * 2


async def test_each_device_of_a_template_has_feeds_of_its_own() -> None:
    rows = [{"uuid": "d1", "name": "Pump", "type": "pump"}, {"uuid": "d2"}]
    usergrid = adapter(PUMPS, "readings", ROOMS)
    api = ToldApi({f"{ROOT}/devices": answered(*rows), f"{ROOT}/readings": EMPTY})
    pump, other, rest = await found(api, usergrid)
    assert pump.device == Device("d1", "Pump", "pump")
    theirs = [*feeds("devices/d1/sends/readings", "d1"), *feeds("devices/d1/in/rooms", "d1")]
    assert pump.feeds == tuple(theirs)
    assert (other.device, len(other.feeds)) == (Device("d2"), 6)
    assert rest == Discovered(None, tuple(feeds("readings")))


async def test_devices_may_be_in_several_collections() -> None:
    paths = ("pumps/{device}/sends/readings", "rooms/{device}/sends/readings")
    pumps, rooms = answered({"uuid": "p"}, {"uuid": "both"}), answered({"uuid": "both"})
    api = ToldApi({f"{ROOT}/pumps": pumps, f"{ROOT}/rooms": rooms})
    told = await found(api, adapter(*paths))
    assert [(each.device, len(each.feeds)) for each in told] == [
        (Device("p"), 3),
        (Device("both"), 6),
    ]


async def test_all_devices_are_found_though_one_comes_twice_and_one_has_no_uuid() -> None:
    pages: dict[object, dict[str, object]] = {
        None: answered({"uuid": "d1"}, {"uuid": "d2"}, cursor="a="),
        "a=": answered({"uuid": "d2"}, None, {"name": "odd"}, {"uuid": 3}, cursor="b"),
        "b": answered(),
    }
    api = ToldApi({f"{ROOT}/devices": lambda asked: pages[asked.get("cursor")]})
    with capture_logs() as logs:
        names = [each.device.identifier for each in await found(api, adapter(PUMPS)) if each.device]
    assert names == ["d1", "d2", "3"]
    assert [(each["reason"], each["devices"]) for each in logs] == [("device_without_uuid", 2)]
    assert [asked for _, asked in api.asked][:2] == [
        {"limit": 1000},
        {"limit": 1000, "cursor": "a="},
    ]


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_is_forbidden_is_told_once_and_left_out(status: int) -> None:
    refused = Forbidden("", status, REFUSED)
    answers: dict[str, Told] = {f"{ROOT}/{path}": refused for path in ("air", "devices")}
    answers[f"{ROOT}/readings"] = EMPTY
    api, usergrid = ToldApi(answers), adapter("air", PUMPS, "readings")
    with capture_logs() as logs:
        for _ in range(2):
            assert await found(api, usergrid) == [Discovered(None, tuple(feeds("readings")))]
        api.answers = {f"{ROOT}/{path}": EMPTY for path in ("air", "devices", "readings")}
        assert len((await found(api, usergrid))[0].feeds) == 6
    told = [(each["event"], each["what"], each.get("reason")) for each in logs]
    assert told == [
        ("failing", f"ana: {ROOT}/air", "forbidden"),
        ("failing", f"ana: {ROOT}/{PUMPS}", "forbidden"),
        ("well again", f"ana: {ROOT}/air", None),
        ("well again", f"ana: {ROOT}/{PUMPS}", None),
    ]
    assert logs[0]["status"] == status


async def test_the_tenants_own_client_is_named_where_something_is_forbidden_to_it() -> None:
    api = ToldApi({f"{ROOT}/readings": Forbidden("", 403, REFUSED)})
    with capture_logs() as logs:
        assert await found(api, adapter("readings"), Credentials(None)) == []
    assert [each["what"] for each in logs] == [f"(client): {ROOT}/readings"]


@pytest.mark.parametrize(
    ("trouble", "raised"),
    [
        (ServerFailed(""), ServerFailed),
        (RequestRefused("", 400), RequestRefused),
        ({"error": "runtime"}, Malformed),
        ("x", Malformed),
        (answered({"uuid": "d"}, cursor="a"), Truncated),
    ],
)
async def test_other_trouble_is_no_lack_of_devices(
    trouble: Told, raised: type[PlatformError]
) -> None:
    with pytest.raises(raised):
        await found(ToldApi({f"{ROOT}/devices": trouble}), adapter(PUMPS))


@pytest.mark.parametrize(
    "trouble",
    [
        ServerFailed(""),
        RequestRefused("", 400),
        TooLarge(""),
        {"error": "runtime"},
        answered(cursor=7),
    ],
)
async def test_a_path_that_fails_hides_no_other_and_its_feeds_tell_of_it(trouble: Told) -> None:
    api = ToldApi({f"{ROOT}/air": trouble, f"{ROOT}/readings": EMPTY})
    with capture_logs() as logs:
        told = await found(api, adapter("air", "readings"))
    assert told == [Discovered(None, (*feeds("air"), *feeds("readings")))]
    assert logs == []


@pytest.mark.parametrize("trouble", [Unreachable(""), Throttled(""), TokenError("")])
async def test_what_every_path_would_suffer_from_ends_a_discovery(trouble: Exception) -> None:
    api = ToldApi({f"{ROOT}/air": trouble, f"{ROOT}/readings": EMPTY})
    with pytest.raises(type(trouble)):
        await found(api, adapter("air", "readings"))


async def test_a_path_that_is_forbidden_further_on_shows_no_half_of_its_devices() -> None:
    def told(asked: Mapping[str, Any]) -> object:
        page = answered({"uuid": "d"}, cursor="a")
        return Forbidden("", 401, REFUSED) if "cursor" in asked else page

    assert await found(ToldApi({f"{ROOT}/devices": told}), adapter(PUMPS)) == []


@pytest.mark.parametrize("body", [None, "<html>no such route</html>", {"message": "no route"}, []])
async def test_a_refusal_that_is_none_of_the_platforms_hides_nothing(body: object) -> None:
    """As from a proxy before it: what was seen until then is still asked for."""
    refused = Forbidden("", 404, body)
    with pytest.raises(Forbidden):
        await found(ToldApi({f"{ROOT}/devices": refused}), adapter(PUMPS))
    api = ToldApi({f"{ROOT}/air": refused, f"{ROOT}/readings": EMPTY})
    everything = Discovered(None, (*feeds("air"), *feeds("readings")))
    assert await found(api, adapter("air", "readings")) == [everything]


async def test_the_time_is_the_servers_as_told_with_the_first_path() -> None:
    for usergrid, path in (
        (adapter("readings", "air"), "readings"),
        (adapter(PUMPS), "devices"),
        (adapter(tasks=[{"path": "jobs"}]), "jobs"),
        (adapter(notifications=True), "notifications"),
    ):
        api = ToldApi({f"{ROOT}/{path}": EMPTY})
        assert await usergrid.time(api) == datetime(2023, 8, 6, 6, 0, 0, 412_000, tzinfo=UTC)
        assert api.asked == [(f"{ROOT}/{path}", {"limit": 1})]


async def test_a_refusal_tells_the_time_as_well() -> None:
    told = Forbidden("", 401, {"error": "unauthorized", "timestamp": TIME})
    api = ToldApi({f"{ROOT}/readings": told})
    assert await adapter("readings").time(api) == datetime(2023, 8, 6, 6, 0, 0, 412_000, tzinfo=UTC)
    for body in (None, {"error": "unauthorized"}, "x"):
        with pytest.raises(Forbidden):
            await adapter("readings").time(ToldApi({f"{ROOT}/readings": Forbidden("", 401, body)}))


async def test_the_time_is_asked_of_the_next_path_where_one_does_not_tell_it() -> None:
    """As where a proxy forbids it; each collection is asked once."""
    time = datetime(2023, 8, 6, 6, 0, 0, 412_000, tzinfo=UTC)
    usergrid = adapter(PUMPS, ROOMS, "air", "readings")
    api = ToldApi({f"{ROOT}/air": EMPTY})
    assert await usergrid.time(api) == time
    assert [path for path, _ in api.asked] == [f"{ROOT}/devices", f"{ROOT}/air"]
    told: dict[str, Told] = {f"{ROOT}/readings": Forbidden("", 401, REFUSED)}
    assert await usergrid.time(ToldApi(told)) == time


async def test_where_only_jobs_are_configured_no_time_is_asked_for() -> None:
    api = ToldApi({})
    job = "0b4e28ba-2fa1-11ee-b9d1-0242ac120002"
    assert await adapter(imports=[job], level="management").time(api) is None
    assert api.asked == []


@pytest.mark.parametrize("timestamp", [None, "soon", True, [], 10**30])
async def test_a_server_that_tells_no_time_is_none_of_usergrids(timestamp: object) -> None:
    api = ToldApi({f"{ROOT}/readings": {**EMPTY, "timestamp": timestamp}})
    with pytest.raises(Malformed, match="tells no time"):
        await adapter("readings").time(api)


@pytest.mark.parametrize(
    "path",
    ["", "/readings", "readings/", "a//b", "a?b", "{device}/x", "a/x{device}", "a/{thing}/b"],
)
def test_a_path_that_cannot_be_one_is_refused_in_words(path: str) -> None:
    with pytest.raises(ValidationError, match="takes a path below the application"):
        adapter(path)
