"""DeviceHive: an answer as long as was asked for may lack anything, and is asked for in parts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs
from told import Told, ToldApi

from harvester.errors import TooLarge, Truncated
from harvester.model import BEGINNING, FOREVER, Feed, Sample, Window
from harvester.platforms.devicehive import Adapter
from harvester.platforms.devicehive.listing import TAKE
from harvester.platforms.devicehive.options import DeviceHiveOptions

INFO, PATH = "/info", "/device/d/notification"
FEED = Feed("readings", "d", ("d",))
WINDOW = Window(BEGINNING, FOREVER)
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
MS = timedelta(milliseconds=1)
VERSIONS = ["3.5.0", "4.1.0"]
FULL = list(range(TAKE))
"""As many messages as are asked for, one in each millisecond."""


def text(ms: int, zone: str = "") -> str:
    instant = (NOON + ms * MS).replace(tzinfo=None)
    return instant.isoformat(timespec="milliseconds") + zone


class Cache:
    """What a server of that version does with the messages that it keeps, at these ms."""

    def __init__(self, version: str, instants: list[int]) -> None:
        self.is_old = version.startswith("3")
        self.rows = [
            {"id": n, "notification": "t", "timestamp": text(ms), "parameters": n}
            for n, ms in enumerate(instants)
        ]
        self.largest = len(instants) + 1  # rows that are too many bytes

    def told(self, params: dict[str, Any]) -> object:
        kept = sorted(self.rows, key=self.oldest if self.is_old else self.anyhow)
        within = self.between if self.is_old else self.from_to
        bounds = params.get("start", ""), params.get("end", "~")
        taken = [row for row in kept if within(str(row["timestamp"]) + "Z", *bounds)]
        del taken[params["take"] :]
        if len(taken) >= self.largest:
            return TooLarge("more bytes than are taken at once")
        return sorted(taken, key=self.oldest)

    def oldest(self, row: dict[str, Any]) -> Any:
        return row["timestamp"]

    def anyhow(self, row: dict[str, Any]) -> Any:
        return row["id"] * 7919 % 10_007

    def between(self, said: str, start: str, end: str) -> bool:
        return start < said < end

    def from_to(self, said: str, start: str, end: str) -> bool:
        return start <= said <= end


async def pulled(told: Told, version: str = "3.5.0", **options: str) -> tuple[set[object], ToldApi]:
    """The values of all samples, which are the messages' numbers, and what was asked for them."""
    api = ToldApi({INFO: {"apiVersion": version, "serverTimestamp": text(0)}, PATH: told})
    given = {"base_url": "https://dh.example/api/rest", **options}
    adapter = Adapter(DeviceHiveOptions.model_validate(given))
    await adapter.time(api)
    said = [each async for batch in adapter.readings(api, FEED, WINDOW) for each in batch]
    return {each.value for each in said if isinstance(each, Sample)}, api


def apart(api: ToldApi) -> timedelta:
    """From the end of the one part to the start of the other, as they were sent."""
    sent = {**api.asked[-1][1], **api.asked[-2][1]}
    assert sent["start"].endswith("Z") and sent["end"].endswith("Z")
    return datetime.fromisoformat(sent["start"]) - datetime.fromisoformat(sent["end"])


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_answer_with_room_for_more_is_whole(version: str) -> None:
    values, api = await pulled(Cache(version, FULL[1:]).told, version)
    assert values == set(range(TAKE - 1))
    assert len(api.asked) == 2


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "instants",
    [
        FULL,
        [ms // 4 for ms in range(2 * TAKE)],
        [0, *[5] * (TAKE - 2), 9, 9, 10],
        [ms**3 for ms in range(-1000, TAKE + 7, 3)] * 3,
        [*range(-5, 5), *[7] * (TAKE - 1), 10**12],
    ],
    ids=["full", "several in a ms", "nearly all in one", "far apart", "one in the future"],
)
async def test_a_full_answer_is_asked_for_again_in_parts(version: str, instants: list[int]) -> None:
    values, api = await pulled(Cache(version, instants).told, version)
    assert values == set(range(len(instants)))
    assert len(api.asked) < 60
    whole = {"take": TAKE, "skip": 0, "sortField": "timestamp", "sortOrder": "ASC"}
    assert api.asked[1] == (PATH, whole)
    assert all(params.items() >= whole.items() for _, params in api.asked[1:])


@pytest.mark.parametrize(
    ("version", "options", "asked"),
    [
        *((version, {}, "beyond") for version in ("3.5.0", "2.0.0", "", "x")),
        *((version, {}, "exactly") for version in ("4.1.0", "10.0")),
        *((version, {"generation": "3"}, "beyond") for version in ("4.1.0", "3.5.0", "")),
        *((version, {"generation": "4"}, "exactly") for version in ("3.5.0", "4.1.0", "")),
    ],
)
async def test_parts_meet_whether_or_not_bounds_are_included(
    version: str, options: dict[str, str], asked: str
) -> None:
    cache = Cache("3.5.0" if asked == "beyond" else "4.1.0", FULL)
    _, api = await pulled(cache.told, version, **options)
    assert apart(api) == (-MS if asked == "beyond" else MS)


async def test_without_the_servers_word_the_cautious_way_or_the_configured_one_is_taken() -> None:
    for generation, expected in ((None, -MS), ("3", -MS), ("4", MS)):
        options = DeviceHiveOptions.model_validate(
            {"base_url": "https://dh.example/api/rest", "generation": generation}
        )
        api = ToldApi({PATH: Cache(generation or "3", FULL).told})
        async for _ in Adapter(options).readings(api, FEED, WINDOW):
            pass
        assert apart(api) == expected


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_millisecond_with_more_than_can_be_told_is_not_taken_for_whole(
    version: str,
) -> None:
    with pytest.raises(Truncated):
        await pulled(Cache(version, [1, *[5] * TAKE, 9]).told, version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "instant",
    [text, lambda _: text(0), lambda _: None, lambda _: "9999-12-31T23:59:59.999"],
    ids=["no bounds", "one instant", "no instants", "the end of time"],
)
async def test_a_server_that_does_not_keep_to_bounds_is_not_asked_without_end(
    version: str, instant: Callable[[int], object]
) -> None:
    rows = [{"notification": "t", "timestamp": instant(n)} for n in FULL]
    answers = iter([rows] * 20)
    with pytest.raises(Truncated):
        await pulled(lambda _: next(answers), version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("largest", [3, 11, 80])
async def test_an_answer_of_too_many_bytes_is_asked_for_in_parts(
    version: str, largest: int
) -> None:
    cache = Cache(version, [ms // 2 for ms in range(90)])
    cache.largest = largest
    values, _ = await pulled(cache.told, version)
    assert values == set(range(90))


async def test_messages_that_are_too_large_by_themselves_are_told() -> None:
    cache = Cache("3.5.0", [0, 1, 2])
    cache.largest = 2
    with pytest.raises(TooLarge):
        await pulled(cache.told)


async def test_full_answers_are_told_once_and_when_they_end() -> None:
    cache = Cache("3.5.0", FULL)
    api = ToldApi({PATH: cache.told})
    adapter = Adapter(DeviceHiveOptions(base_url="https://dh.example/api/rest"))
    with capture_logs() as logs:
        for kept in (0, 0, 1, 1):
            del cache.rows[TAKE - kept :]
            async for _ in adapter.readings(api, FEED, WINDOW):
                pass
    assert [(each["event"], each.get("reason")) for each in logs] == [
        ("failing", "answer_full"),
        ("well again", None),
    ]
