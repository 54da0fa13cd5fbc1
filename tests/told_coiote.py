"""What a Coiote is told to say to its adapter, without a socket."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from told import Told, ToldApi

from harvester.errors import Forbidden, RequestRefused
from harvester.model import Credentials, Discovered, Feed, Sample, Window
from harvester.platforms.coiote import Adapter, instants
from harvester.platforms.coiote.options import CoioteOptions

ROOT = "/api/coiotedm/v3/"
IDS = f"{ROOT}devices"
DETAILS = f"{ROOT}devices/find/details"
DEFINITIONS = f"{ROOT}instantiatedResources/dataModelDefinition/"
HISTORY = f"{ROOT}deviceMonitoring/data/a/resourceUrl/%2F3303%2F0%2F5700"
FEED = Feed("readings", "a /3303/0/5700", ("a",), place="/acme/")
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LAST = Window(NOW - HOUR, NOW)


def adapter(**options: object) -> Adapter:
    given = {"base_url": "https://eu.iot.example", **options}
    return Adapter(CoioteOptions.model_validate(given))


def device(name: str = "a", contact: datetime | None = NOW, objects: str = "") -> dict[str, Any]:
    """As it is listed."""
    return {
        "id": name,
        "domain": "/acme/",
        "lastContactTime": stamp(contact) if contact else None,
        "properties": {"registeredObjects": objects},
    }


def sensor(name: str) -> dict[str, Any]:
    """A device with a thermometer."""
    return device(name, objects="/3303/0")


def listed(*devices: dict[str, Any]) -> dict[str, Told]:
    return {DETAILS: {"devices": list(devices)}}


def stamp(at: datetime) -> str:
    return instants.stamp(instants.millis(at))


def point(at: datetime, value: str = "1") -> dict[str, str]:
    return {"date": stamp(at), "value": value}


def within(params: dict[str, Any], points: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Of those points, what is asked for."""
    return [
        each for each in points if params["timeRangeStart"] < each["date"] <= params["timeRangeEnd"]
    ]


def history(*points: dict[str, str]) -> Told:
    """Answers with one page."""
    return lambda params: {"hasNext": False, "data": within(params, points)}


def refusal(code: int) -> Exception:
    body = {"message": "No", "code": code}
    if code // 10 in (403, 404):
        return Forbidden("x", code // 10, body)
    return RequestRefused("x", code // 10, body)


async def pulled(
    it: Adapter, told: ToldApi, window: Window = LAST, feed: Feed = FEED
) -> list[Sample]:
    said = [each async for batch in it.readings(told, feed, window) for each in batch]
    return [each for each in said if isinstance(each, Sample)]


async def found(it: Adapter, told: ToldApi) -> list[Discovered]:
    return [each async for each in it.discover(told, Credentials("ana"))]


async def feeds(it: Adapter, told: ToldApi) -> list[Feed]:
    """Those of readings."""
    each = [feed for found_one in await found(it, told) for feed in found_one.feeds]
    return [feed for feed in each if feed.stream == "readings"]


async def keys(it: Adapter, told: ToldApi) -> list[str]:
    return [feed.key for feed in await feeds(it, told)]


async def places(it: Adapter, told: ToldApi) -> list[str | None]:
    return [feed.place for feed in await feeds(it, told)]


def count(told: ToldApi, path: str) -> int:
    return [asked for asked, _ in told.asked].count(path)
