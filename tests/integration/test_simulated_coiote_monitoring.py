"""The fake Coiote's history of resources: windows, pages, ties, and what cannot be had."""

from datetime import datetime
from urllib.parse import quote

import pytest
from simulated_coiote import MILLISECOND, NOW, playing, resource_url
from simulated_coiote_history import SECOND, SINCE, TEMPERATURE, held, page, true, truths

from harvester.simulator.coiote_objects import measured
from harvester.simulator.coiote_quirks import (
    QUIRKS,
    Switches,
    refused,
)
from harvester.simulator.coiote_shapes import stamp
from harvester.simulator.faults import Fault
from harvester.simulator.uplinks import QUIET, Habits
from harvester.simulator.world import millis

CROWDED = Habits(twins=0.3, repeated=0.2, late=0.2, corrected=0.2)
OF_DATA = list(QUIRKS)[list(QUIRKS).index("all permitted") :]
"""Those before differ in tokens alone."""


@pytest.mark.parametrize("quirk", ["as documented", *OF_DATA])
async def test_in_every_way_of_the_platform_all_that_is_true_can_be_had(quirk: str) -> None:
    async with playing(QUIRKS[quirk], habits=CROWDED) as play:
        access, facts = await play.service(), truths(play)
        for device in play.fake.site.of("acme"):
            for it in measured(device.thing.model):
                if not it.is_slow and device.is_monitored:
                    raw = resource_url(device.id, it.path).replace("%2F", "/")
                    path = raw if QUIRKS[quirk].slashes == "raw" else None
                    rows = await play.history(access, device.id, it.path, SINCE, path=path)
                    assert held(rows) == facts.get((device.id, it.path), {})
        assert play.fake.violations == []


async def test_a_window_is_open_at_its_start_and_closed_at_its_end() -> None:
    async with playing(habits=QUIET) as play:
        device = play.device("Weather station")
        dates = [each["date"] for each in (await page(play, device, SINCE))["data"]]
        assert dates == sorted(dates) and len(dates) == 49  # on each half hour, both ends included
        first, second, third = map(datetime.fromisoformat, dates[:3])
        for start, end, expected in (
            (first, third, dates[1:3]),
            (first - MILLISECOND, third - MILLISECOND, dates[:2]),
            (first, first + MILLISECOND, []),
            (first, second, dates[1:2]),
        ):
            told = await page(play, device, start, timeRangeEnd=end.isoformat())
            assert [each["date"] for each in told["data"]] == expected


async def test_an_empty_page_has_no_last_point() -> None:
    async with playing() as play:
        empty: object = {"hasNext": False, "lastPointTimestamp": None, "metadata": {}, "data": []}
        assert await page(play, play.device("Freezer"), NOW - MILLISECOND) == empty
        access, device = await play.service(), play.device("Freezer")
        for path in ("3/0/9", "3303/0/5701"):
            told = await play.told(
                access, resource_url(device.id, path), timeRangeStart=SINCE.isoformat()
            )
            assert told == empty, "what is not tracked has no history"
    async with playing(Switches(nulls="absent")) as play:
        told = await page(play, play.device("Freezer"), NOW - MILLISECOND)
        assert told == {"hasNext": False, "metadata": {}, "data": []}


@pytest.mark.parametrize("form", ["/{}", "//{}", "%2F{}", "%2f{}"])
async def test_a_path_may_be_raw_or_encoded_with_one_slash_or_two(form: str) -> None:
    async with playing() as play:
        device, access = play.device("Freezer"), await play.service()
        encoded = quote(TEMPERATURE, safe="") if "%" in form else TEMPERATURE
        base = f"deviceMonitoring/data/{device.id}/resourceUrl"
        path = base + ("/" if "%" in form else "") + form.format(encoded)
        told = await play.told(access, path, timeRangeStart=SINCE.isoformat())
        assert len(told["data"]) > 20
    async with playing(Switches(slashes="raw")) as play:
        status, body = await play.get(await play.service(), path, timeRangeStart=SINCE.isoformat())
        assert (status, "<h1>" in body) == ((404, True) if "%" in form else (200, False))


@pytest.mark.parametrize(
    ("path", "asked", "code"),
    [
        (TEMPERATURE, {"timeRangeStart": ""}, 4000),
        (TEMPERATURE, {"timeRangeStart": "yesterday"}, 4000),
        (TEMPERATURE, {"timeRangeStart": "2026-03-04T09:00:00"}, 4000),
        (TEMPERATURE, {"timeRangeStart": "2026-03-04T10:00:00Z"}, 4000),
        (TEMPERATURE, {"timeRangeEnd": "2026-03-04T10:30:00.001Z"}, 4000),
        (TEMPERATURE, {"limit": "0"}, 4001),
        (TEMPERATURE, {"limit": "2049"}, 4001),
        (TEMPERATURE, {"limit": "1.5"}, 4001),
        ("3303/0", {}, 4003),
        ("3303/0/5700/1", {}, 4003),
        ("Temperature/0/Value", {}, 4003),
        ("0/0/1", {}, 4042),
        ("65535/0/1", {}, 4042),
        ("3303/1/5700", {}, 4041),
        ("3303/0/5999", {}, 4041),
        ("3347/0/5500", {}, 4041),
    ],
)
async def test_what_cannot_be_answered_has_a_code(
    path: str, asked: dict[str, str], code: int
) -> None:
    async with playing() as play:
        device = play.device("Office air")
        window = {"timeRangeStart": "2026-03-04T09:00:00Z", "timeRangeEnd": "2026-03-04T10:00:00Z"}
        params = {key: value for key, value in (window | asked).items() if value}
        told = await play.get(await play.service(), resource_url(device.id, path), **params)
        assert (told[0], told[1]["code"]) == (code // 10, code)


async def test_of_another_device_or_without_leave_or_monitoring_nothing_is_told() -> None:
    async with playing() as play:
        access, device = await play.service(), play.device("Freezer")
        params = {"timeRangeStart": SINCE.isoformat()}
        unknown = resource_url(play.device("Freezer", "globex").id, TEMPERATURE)
        assert (await play.get(access, unknown, **params))[1]["code"] == 4040
        play.fake.stop_monitoring(device.id)
        path = resource_url(device.id, TEMPERATURE)
        status, body = await play.get(access, path, **params)
        assert (status, body["code"]) == (503, 5031)
        play.fake.forbid("acme")
        status, body = await play.get(access, path, **params)
        assert (status, body["code"]) == (403, 4030)


async def test_at_most_2048_points_come_at_once() -> None:
    async with playing(Switches(crowd=2100), habits=QUIET) as play:
        device = play.device("Freezer")
        first = await page(play, device, SINCE)
        assert (first["hasNext"], len(first["data"])) == (True, 2048)
        assert first["lastPointTimestamp"] == first["data"][-1]["date"]
        crowd = datetime.fromisoformat(first["lastPointTimestamp"])
        again = await page(play, device, crowd - MILLISECOND)
        assert {each["date"] for each in again["data"]} == {stamp(millis(crowd))}
        rest = await page(play, device, crowd)
        assert not rest["hasNext"] and stamp(millis(crowd)) not in str(rest)


async def test_pages_that_begin_where_the_one_before_ended_bring_all() -> None:
    async with playing(habits=QUIET) as play:
        device, start, dates = play.device("Office air"), SINCE, []
        while True:
            told = await page(play, device, start, limit=7)
            dates += [each["date"] for each in told["data"]]
            if not told["hasNext"]:
                break
            assert len(told["data"]) == 7
            start = datetime.fromisoformat(told["lastPointTimestamp"])
        assert dates == sorted(true(play, device, TEMPERATURE))


async def test_fewer_may_come_than_were_asked_for_and_in_no_order() -> None:
    async with playing(Switches(point_cap=10), habits=QUIET) as play:
        told = await page(play, play.device("Freezer"), SINCE)
        assert (told["hasNext"], len(told["data"])) == (True, 10)
    async with playing(Switches(point_cap=10, shuffled=True), habits=QUIET) as play:
        mixed = await page(play, play.device("Freezer"), SINCE)
        assert mixed["data"] != told["data"] == sorted(mixed["data"], key=lambda it: it["date"])
        assert mixed["lastPointTimestamp"] == told["lastPointTimestamp"]


async def test_who_goes_on_a_millisecond_later_is_noticed() -> None:
    async with playing() as play:
        device = play.device("Office air")
        told = await page(play, device, SINCE, limit=7)
        last = datetime.fromisoformat(told["lastPointTimestamp"])
        await page(play, device, last, limit=7)
        told = await page(play, device, SINCE, limit=7)
        await page(play, device, last - MILLISECOND, limit=7)
        await page(play, device, SINCE, limit=7)
        another = (NOW - SECOND).isoformat()
        await page(play, device, last + MILLISECOND, limit=7, timeRangeEnd=another)
        assert play.fake.violations == [], "the last was another window"
        await page(play, device, SINCE, limit=7)
        await page(play, device, last + MILLISECOND, limit=7)
        skipped = "a page that begins 1 ms after the last point of the one before"
        assert play.fake.violations == [skipped]


async def test_who_asks_for_the_future_or_too_much_or_in_a_loop_is_noticed() -> None:
    async with playing() as play:
        access, device = await play.service(), play.device("Freezer")
        path, params = resource_url(device.id, TEMPERATURE), {"timeRangeStart": SINCE.isoformat()}
        await play.get(access, path, timeRangeEnd="2026-03-04T10:30:00.001Z", **params)
        await play.get(access, path, limit="4096", **params)
        play.fake.stop_monitoring(device.id)
        for _ in range(2):
            await play.get(access, path, **params)
        assert play.fake.violations == ["a window that ends in the future", "a limit of 4096"]
        await play.get(access, path, **params)
        assert play.fake.violations[2:] == [
            f"asked again and again what is not monitored: {device.id}"
        ]


async def test_a_refusal_with_any_code_can_be_planned() -> None:
    async with playing() as play:
        play.fake.faults.add(Fault("devices", refused(5030)))
        told = await play.get(await play.service(), "devices")
        assert told == (503, {"message": "No", "code": 5030})


async def test_of_a_legacy_api_nothing_is_known() -> None:
    async with playing() as play:
        access = await play.service()
        assert (await play.get(access, "monitoringData/samples/m/d"))[0] == 501
