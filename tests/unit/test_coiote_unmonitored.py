"""Coiote: a device that is not monitored, also where the server does not say so."""

import pickle
from datetime import timedelta
from typing import Any

from told import Told, ToldApi
from told_coiote import DETAILS, NOW, ROOT, adapter

from harvester.errors import PlatformError, ServerFailed
from harvester.model import Feed, Window
from harvester.platforms.coiote import Adapter
from harvester.platforms.coiote.unmonitored import Unmonitored

MINUTES = timedelta(minutes=10)
PAGE = {"hasNext": False, "data": [{"date": "2026-03-04T12:00:00.000Z", "value": "21.5"}]}
OUT = ServerFailed("503")


def feed(device: str, resource: str = "3303/0/5700") -> Feed:
    return Feed("readings", f"{device} /{resource}", (device,), place="/acme/")


def history(device: str, number: int = 3303) -> str:
    return f"{ROOT}deviceMonitoring/data/{device}/resourceUrl/%2F{number}%2F0%2F5700"


def api(answers: dict[str, Told]) -> ToldApi:
    devices: list[dict[str, Any]] = [{"id": name, "domain": "/acme/"} for name in "ab"]
    return ToldApi({DETAILS: {"devices": devices}, **answers})


async def ticks(it: Adapter, told: ToldApi, feeds: list[Feed], count: int, begin: int = 0) -> str:
    """What became of each feed of each tick: + was told, ! is for the platform's sake, - is not."""
    outcomes = ""
    for number in range(begin, begin + count):
        window = Window(NOW + number * MINUTES, NOW + (number + 1) * MINUTES)
        for each in feeds:
            try:
                outcomes += "+" * len([said async for said in it.readings(told, each, window)])
            except ServerFailed:
                outcomes += "!"
            except PlatformError:
                outcomes += "-"
    return outcomes


async def test_a_server_that_fails_for_one_device_alone_means_that_device() -> None:
    it, told = adapter(), api({history("a"): OUT, history("b"): PAGE})
    assert await ticks(it, told, [feed("a"), feed("b")], 5) == "!+!+-+-+-+"
    assert [path for path, _ in told.asked].count(history("a")) == 3, "and is left alone then"


async def test_it_is_tried_again_after_an_hour_and_well_when_it_tells() -> None:
    it, told = adapter(), api({history("a"): OUT, history("b"): PAGE})
    await ticks(it, told, [feed("a"), feed("b")], 3)
    assert await ticks(it, told, [feed("a")], 6, begin=3) == "------"
    told.answers = {**told.answers, history("a"): PAGE}
    assert await ticks(it, told, [feed("a")], 2, begin=9) == "++"


async def test_a_server_that_fails_for_all_means_none() -> None:
    told = api({history("a"): OUT, history("b"): OUT})
    assert await ticks(adapter(), told, [feed("a"), feed("b")], 5) == "!" * 10


def test_a_server_that_is_out_of_order_for_weeks_leaves_no_trace_of_each_tick() -> None:
    it = Unmonitored()
    before = len(pickle.dumps(it))
    for number in range(9_000):
        assert not it.failed("a", NOW + number * MINUTES)
    assert len(pickle.dumps(it)) - before < 1_000


async def test_a_server_that_failed_for_all_meant_none_when_it_is_back() -> None:
    it, told = adapter(), api({history("a"): OUT, history("b"): OUT})
    await ticks(it, told, [feed("a"), feed("b")], 9)
    told.answers = {**told.answers, history("a"): PAGE, history("b"): PAGE}
    assert await ticks(it, told, [feed("a"), feed("b")], 2, begin=9) == "++++"


async def test_a_server_that_fails_for_one_resource_does_not_mean_its_device() -> None:
    it, told = adapter(), api({history("a"): OUT, history("a", 3304): PAGE, history("b"): PAGE})
    feeds = [feed("a"), feed("a", "3304/0/5700"), feed("b")]
    assert await ticks(it, told, feeds, 5) == "!++" * 5
