"""Coiote: which devices are found, and what is kept of them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from told import Told, ToldApi

from harvester.errors import Forbidden, Malformed, PlatformError, ServerFailed, TooLarge, Truncated
from harvester.model import Credentials, Discovered
from harvester.platforms.coiote import Adapter, devices
from harvester.platforms.coiote.asking import Asking
from harvester.platforms.coiote.devices import FIELDS, Seen
from harvester.platforms.coiote.options import CoioteOptions

ROOT = "/api/coiotedm/v3/"
DETAILS = f"{ROOT}devices/find/details"
IDS = f"{ROOT}devices"
ANA = Credentials("ana@acme.example", "p")
KEY = "c0ffee"


def device(name: str, **more: object) -> dict[str, Any]:
    """As the vendor's examples have it, with its key."""
    return {
        "id": name,
        "domain": "/acme/",
        "friendlyName": f"boiler {name}",
        "lastContactTime": "2026-03-04T05:06:07.123Z",
        "serialNumber": "7\n",
        "dtlsPsk": {"HexadecimalPsk": KEY},
        "properties": {"registeredObjects": "/1/0,/3,/3303/0", "objectVersions": "1:1.1,3303:1.0"},
        **more,
    }


def one(name: str) -> str:
    return f"{IDS}/{name}"


async def found(api: ToldApi, adapter: Adapter | None = None) -> list[Discovered]:
    adapter = adapter or Adapter(CoioteOptions(base_url="https://eu.iot.example"))
    return [each async for each in adapter.discover(api, ANA) if each.device]


async def seen(*rows: object) -> list[Seen]:
    api = ToldApi({DETAILS: {"devices": list(rows), "nextPageBookmark": None}})
    return [each async for each in devices.details(Asking(), api, FIELDS)]


def names(found: list[Discovered]) -> list[str]:
    return [each.device.identifier for each in found if each.device]


async def test_devices_are_listed_page_by_page_and_their_keys_never_asked_for() -> None:
    def answer(params: dict[str, Any]) -> object:
        number = int(params.get("pageBookmark", "0"))
        return {"devices": [device(str(number))], "nextPageBookmark": str(number + 1)[: 2 - number]}

    api = ToldApi({DETAILS: answer})
    assert names(await found(api)) == ["0", "1", "2"]
    asked = [params for path, params in api.asked if path == DETAILS]
    assert {params["fieldSelection"] for params in asked} == {FIELDS}
    assert "dtlsPsk" not in FIELDS
    assert [params.get("pageBookmark") for params in asked] == [None, "1", "2"]


async def test_a_bookmark_that_leads_in_circles_is_told() -> None:
    api = ToldApi({DETAILS: {"devices": [device("a")], "nextPageBookmark": "b"}})
    with pytest.raises(Truncated):
        await found(api)


async def test_devices_that_are_too_large_together_are_asked_for_in_smaller_pages() -> None:
    def answer(params: dict[str, Any]) -> object:
        if params["limit"] > 100:
            return TooLarge(DETAILS)
        return {"devices": [device("a")]}

    assert names(await found(ToldApi({DETAILS: answer}))) == ["a"]
    with pytest.raises(TooLarge):
        await found(ToldApi({DETAILS: TooLarge(DETAILS)}))


async def test_what_is_said_of_a_device_is_kept_but_for_its_key() -> None:
    [told] = await seen(device("a"))
    assert told == Seen(
        "a",
        domain="/acme/",
        name="boiler a",
        last_contact=datetime(2026, 3, 4, 5, 6, 7, 123_000, tzinfo=UTC),
        instances=((1, 0), (3303, 0)),
        versions=((1, "1.1"), (3303, "1.0")),
    )
    assert KEY not in repr(told)


async def test_what_is_not_said_or_is_odd_costs_no_device() -> None:
    told = await seen(
        {"id": "a"},
        device("b", **dict.fromkeys(("domain", "friendlyName", "lastContactTime", "properties"))),
        device("c", friendlyName="c\n", properties={"registeredObjects": 7, "endpointName": "e"}),
        device("d", friendlyName=None, properties={"endpointName": "urn:imei:1"}, staff=True),
        device("e", properties={"registeredObjects": " /3303/0 ,</3304/1>,/3304/,/x/1/2,/3304/2"}),
        {"friendlyName": "nameless"},
        "no device",
    )
    assert [each.identifier for each in told] == ["a", "b", "c", "d", "e"]
    assert [each.name for each in told] == [None, None, "c", "urn:imei:1", "boiler e"]
    assert told[-1].instances == ((3303, 0), (3304, 2))


async def test_who_may_not_list_them_asks_for_each() -> None:
    answers: dict[str, Told] = {IDS: ["a", "b", "gone", "c", 7]}
    answers |= {one("a"): device("a"), one("b"): Forbidden("b"), one("c"): device("c")}
    answers[one("gone")] = Forbidden("gone", 404)
    assert names(await found(ToldApi(answers))) == ["a", "b", "c"]


async def test_a_device_that_may_not_be_read_for_once_keeps_its_feeds() -> None:
    adapter = Adapter(CoioteOptions(base_url="https://eu.iot.example"))
    answers: dict[str, Told] = {IDS: ["a"], one("a"): device("a")}
    api = ToldApi(answers)
    [before] = await found(api, adapter)
    api.answers = answers | {one("a"): Forbidden("a")}
    [after] = await found(api, adapter)
    assert after.device == before.device
    assert [feed.key for feed in after.feeds] == [feed.key for feed in before.feeds]
    places = [{feed.place for feed in each.feeds} for each in (before, after)]
    assert places == [{"/acme/"}, {None}], "it may be hidden because it was moved"


@pytest.mark.parametrize("error", [ServerFailed("x"), Malformed("x"), Forbidden("x")])
@pytest.mark.parametrize("path", [DETAILS, IDS])
async def test_a_list_that_is_not_had_is_not_an_empty_one(path: str, error: Exception) -> None:
    api = ToldApi({path: error, **({IDS: Forbidden("x")} if path == DETAILS else {})})
    with pytest.raises(PlatformError):
        await found(api)


@pytest.mark.parametrize("answer", [None, 7, "x", [], {}, {"devices": None}, {"error": "x"}])
async def test_what_is_no_list_is_not_an_empty_one(answer: object) -> None:
    with pytest.raises(Malformed):
        await found(ToldApi({DETAILS: answer}))
    with pytest.raises(Malformed):
        await found(ToldApi({IDS: ["a"], one("a"): answer}))


async def test_an_answer_that_cannot_be_read_is_not_quoted() -> None:
    quoting = Malformed("GET eu.iot.example/x: 200 with text/plain", f'{{"dtlsPsk": "{KEY}')
    for answers in ({DETAILS: quoting}, {IDS: ["a"], one("a"): quoting}):
        with pytest.raises(Malformed) as caught:
            await found(ToldApi(dict(answers)))
        error: BaseException | None = caught.value
        while error:
            assert KEY not in f"{error} {getattr(error, 'excerpt', '')}"
            error = error.__context__
        assert "200" in str(caught.value)
