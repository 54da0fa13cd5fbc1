"""DeviceHive's real adapter before its fake: what devices may send, and what may become of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from exchanged import OneToken
from simulated_devicehive import NOW, Play, playing

from harvester import channels
from harvester.client import Client
from harvester.errors import Forbidden, Malformed
from harvester.model import BEGINNING, FOREVER, Feed, OpenTask, Said, Sample, TaskReport, Window
from harvester.platforms.devicehive import Adapter
from harvester.platforms.devicehive.options import DeviceHiveOptions
from harvester.simulator.devicehive_quirks import AS_DOCUMENTED, Switches

WINDOW = Window(BEGINNING, FOREVER)
MS = timedelta(milliseconds=1)
VERSIONS = [Switches(version="3.5.0"), Switches(version="4.1.0")]
PROBE = Feed("readings", "probe", ("probe",))
TASKS = Feed("task_reports", "probe", ("probe",))


@dataclass(slots=True)
class Reading(OneToken):
    """Ana's, the adapter, and the fake that both speak to."""

    play: Play
    adapter: Adapter

    async def said(self, feed: Feed = PROBE) -> list[Said]:
        await self.adapter.time(self)
        stream = self.adapter.readings if feed.stream == "readings" else self.adapter.task_reports
        return [each async for batch in stream(self, feed, WINDOW) for each in batch]

    async def values(self, feed: Feed = PROBE) -> dict[str, Any]:
        """Of each channel, the value of the last instant."""
        samples = [each for each in await self.said(feed) if isinstance(each, Sample)]
        told = channels.normalize(samples, self.play.clock.now()).readings
        told.sort(key=lambda each: each.instant)
        return {each.channel: each.value for each in told}

    async def reports(self) -> Sequence[TaskReport]:
        return [each for each in await self.said(TASKS) if isinstance(each, TaskReport)]

    async def ask(self, report: TaskReport) -> Sequence[Said]:
        task = OpenTask(report.identity, report.task, report.device)
        return await self.adapter.task_report(self, TASKS, task)


@asynccontextmanager
async def reading(
    switches: Switches = AS_DOCUMENTED, base: str = "/api/rest"
) -> AsyncIterator[Reading]:
    async with playing(switches) as play:
        settings = DeviceHiveOptions(base_url=play.fake.url + base)
        url, clock = settings.base_url, play.clock
        async with Client(url, clock, tenant="a", platform="devicehive", concurrency=4) as client:
            yield Reading(client, await play.probe(), play, Adapter(settings))
            assert play.fake.violations == []


@pytest.mark.parametrize("switches", VERSIONS)
async def test_a_message_of_any_instant_is_read_as_long_as_it_is_kept(switches: Switches) -> None:
    async with reading(switches) as it:
        at = [NOW - timedelta(days=400), NOW - MS, NOW, NOW, NOW + MS, NOW + timedelta(hours=20)]
        for n, instant in enumerate(at):
            await it.play.notify(it.access, f"n{n}", instant, value=n)
        assert await it.values() == {f"n{n}": n for n in range(6)}
        it.play.clock.advance(timedelta(seconds=119))
        assert len(await it.values()) == 6
        it.play.clock.advance(timedelta(seconds=2))
        assert await it.values() == {}


async def test_of_two_messages_of_one_instant_the_greater_id_holds() -> None:
    async with reading() as it:
        ids = {}
        for value in range(5):
            ids[(await it.play.notify(it.access, "t", NOW, value=value))["id"]] = value
        assert await it.values() == {"t": ids[max(ids)]}


async def test_what_a_device_tells_arrives_as_it_was_told() -> None:
    told: dict[str, Any] = {
        "nested": {"state": {"0": 1, "1": [True, "2.50"]}},
        "text": {"data": "aGVsbG8="},
        "nothing": {},
        "big": {"value": 2**60 + 1},
        "long": {"blob": "x" * 50_000},
        "odd": {"a": None, "b": "NaN", "c": 7},
        "equipment": {"equipment": "temp-1", "temperature": 21.5},
    }
    async with reading() as it:
        for name, parameters in told.items():
            await it.play.notify(it.access, name, **parameters)
        assert await it.values() == {
            "nested.state.0": 1,
            "nested.state.1.0": 1,
            "nested.state.1.1": 2.5,
            "text.data": "aGVsbG8=",
            "big": str(2**60 + 1),
            "odd.c": 7,
            "temp-1.temperature": 21.5,
        }


async def test_what_the_server_notifies_of_itself_is_no_reading() -> None:
    async with reading() as it:
        [own] = await it.play.listed(it.access, "probe", "notification")
        assert (own["notification"], own["networkId"]) == ("$device-add", None)
        assert await it.said() == []


@pytest.mark.parametrize("switches", VERSIONS)
async def test_a_command_is_followed_from_its_birth_to_a_second_answer(switches: Switches) -> None:
    async with reading(switches) as it:
        number = (await it.play.order(it.access, "adc/read", parameters={"pin": 0}))["id"]
        told: list[TaskReport] = []
        for status, result in ((None, None), ("Error", None), ("OK", {"0": "0.5"})):
            it.play.clock.advance(timedelta(seconds=50))
            if status:
                await it.play.report(it.access, number, status=status, result=result)
            told += await it.reports()
        assert [each.state for each in told] == ["pending", "failed", "succeeded"]
        assert {each.identity for each in told} == {told[0].identity}
        ends = [NOW + timedelta(seconds=seconds) for seconds in (100, 150)]
        assert [each.finished_at for each in told] == [None, *ends]
        assert await it.values(TASKS) == {"adc/read.0": 0.5}


async def test_a_command_by_itself_is_told_until_it_is_forgotten() -> None:
    async with reading() as it:
        await it.play.order(it.access)
        [report] = await it.reports()
        assert list(await it.ask(report)) == [report]
        it.play.clock.advance(timedelta(seconds=121))
        assert (await it.ask(report), await it.reports()) == ((), [])
        it.play.fake.delete("probe")
        with pytest.raises(Forbidden):
            await it.ask(report)


@pytest.mark.parametrize("fate", ["deleted", "moved"])
async def test_a_device_that_is_seen_no_more_costs_its_own_feeds_only(fate: str) -> None:
    async with reading() as it:
        other = it.play.device("Cold room")
        if fate == "deleted":
            it.play.fake.delete("probe")
        else:
            hers = it.play.fake.tokens.site.accounts[it.play.ana.name].networks
            elsewhere = next(n for n in it.play.fake.tokens.site.networks if n not in hers)
            it.play.fake.move("probe", elsewhere)
        for feed in (PROBE, TASKS):
            with pytest.raises(Forbidden):
                await it.said(feed)
        await it.said(Feed("readings", other))


@pytest.mark.parametrize("base", ["/api/rest", "/api/rest/"])
async def test_a_base_url_may_end_in_a_slash(base: str) -> None:
    async with reading(base=base) as it:
        await it.play.notify(it.access, "t", value=1)
        assert await it.values() == {"t": 1}


@pytest.mark.parametrize("base", ["", "/", "/api", "/api/rest/device", "/rest"])
async def test_a_base_url_that_is_not_the_apis_is_told_plainly(base: str) -> None:
    async with reading(base=base) as it:
        with pytest.raises(Malformed, match="base_url ends in /rest"):
            await it.adapter.time(it)
