"""DeviceHive's adapter listens to its fake, as an account of the tenant."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fix_platforms import NOW, Stage, login, staged

from harvester.auth import AccountApi
from harvester.client import Client, sockets
from harvester.errors import Forbidden, Unreachable
from harvester.model import Said, Sample, Stream, TaskReport, Window
from harvester.platforms.base import Listening
from harvester.platforms.devicehive import Adapter
from harvester.platforms.devicehive.listening import UNDER_WAY
from harvester.platforms.devicehive.options import DeviceHiveOptions
from harvester.simulator.devicehive import FakeDevicehive

if TYPE_CHECKING:
    from harvester.store.pool import Pool

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
DAY = Window(NOW - 24 * HOUR, NOW + 24 * HOUR)
STREAMS: tuple[Stream, ...] = ("readings", "task_reports")


@dataclass(slots=True)
class Play:
    """Ana, who may listen to the fake, and poll it."""

    stage: Stage
    fake: FakeDevicehive
    adapter: Adapter
    api: AccountApi
    opened: list[Listening] = field(default_factory=list)

    async def listen(self, stream: Stream = "readings") -> Listening:
        self.opened.append(await self.adapter.listen(self.api, stream))
        return self.opened[-1]

    async def polled(self, stream: Stream) -> list[Said]:
        """All that is there."""
        pull = self.adapter.readings if stream == "readings" else self.adapter.task_reports
        told: list[Said] = []
        async for found in self.adapter.discover(self.api, login(self.stage.ana)):
            [feed] = [each for each in found.feeds if each.stream == stream]
            told += [each async for answer in pull(self.api, feed, DAY) for each in answer]
        return told

    @property
    def networks(self) -> set[int]:
        return self.fake.tokens.site.accounts[self.stage.ana.name].networks


@asynccontextmanager
async def playing(pool: "Pool", **switched: Any) -> AsyncIterator[Play]:
    async with staged("devicehive", pool, **switched) as stage:
        assert isinstance(stage.fake, FakeDevicehive)
        assert isinstance(stage.options, DeviceHiveOptions)
        settings = stage.options.model_copy(update={"ingest": "websocket"})
        async with Client(
            settings.base_url, stage.clock, tenant="acme", platform="devicehive", concurrency=8
        ) as client:
            api = AccountApi(await stage.keeper(), client)
            play = Play(stage, stage.fake, Adapter(settings), api)
            yield play
            for each in play.opened:
                await each.close()
        assert stage.fake.violations == []


def without(told: Iterable[Said], before: Iterable[Said]) -> list[Said]:
    known = list(before)
    return [each for each in told if each not in known]


@pytest.mark.parametrize("version", ["3.5.0", "4.1.0"])
async def test_readings_are_heard_as_they_would_be_polled(pool: "Pool", version: str) -> None:
    async with playing(pool, version=version, cache_ttl=3600) as play:
        before = await play.polled("readings")
        subscribed = await play.listen()
        play.stage.clock.advance(20 * MINUTE)
        heard, until = await subscribed.heard()
        assert until == NOW + 20 * MINUTE - UNDER_WAY
        news = without(await play.polled("readings"), before)
        assert len(heard) > 20
        assert sorted(map(repr, heard)) == sorted(map(repr, news))
        assert await subscribed.heard() == ([], until)


async def test_each_state_of_a_command_is_heard_and_the_last_as_it_would_be_polled(
    pool: "Pool",
) -> None:
    async with playing(pool, cache_ttl=7200, commands=1.0) as play:
        before = await play.polled("task_reports")
        subscribed = await play.listen("task_reports")
        play.stage.clock.advance(HOUR)
        heard, _ = await subscribed.heard()
        news = without(await play.polled("task_reports"), before)
        reports = [each for each in heard if isinstance(each, TaskReport)]
        last = {each.identity: each for each in reports}
        assert last == {each.identity: each for each in news if isinstance(each, TaskReport)}
        samples = [each for each in heard if isinstance(each, Sample)]
        assert set(map(repr, news)) - set(map(repr, reports)) <= set(map(repr, samples))
        truth = play.fake.task_truth("acme")
        for identity in last:
            told = [each.stated_state for each in reports if each.identity == identity]
            stood = [each.state for each in truth[identity].history if each.at >= NOW]
            assert told == stood
        assert any(len(truth[each].history) > 2 for each in last), "one was run anew"


async def test_a_subscription_outlives_its_token(pool: "Pool") -> None:
    async with playing(pool) as play:
        subscribed = await play.listen()
        calls = play.stage.calls()
        for _ in range(4):
            play.stage.clock.advance(HOUR)
            assert (await subscribed.heard())[0]
        assert play.stage.calls() == calls


async def test_a_token_that_is_refused_is_renewed_to_listen(pool: "Pool") -> None:
    async with playing(pool) as play:
        await play.polled("readings")
        play.fake.change_secret()
        subscribed = await play.listen()
        play.stage.clock.advance(20 * MINUTE)
        assert (await subscribed.heard())[0]
        assert play.fake.token_calls["password"] == 2


async def test_who_may_see_nothing_is_told_so(pool: "Pool") -> None:
    async with playing(pool) as play:
        play.networks.clear()
        for stream in STREAMS:
            with pytest.raises(Forbidden):
                await play.listen(stream)


@pytest.mark.parametrize("ends", ["drop", "restart", "freeze"])
async def test_a_connection_that_ends_is_told_and_another_is_made(
    pool: "Pool", monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    monkeypatch.setattr(sockets, "CLOSE_SECONDS", 0.2)
    async with playing(pool) as play:
        subscribed = await play.listen()
        getattr(play.fake.sockets, ends)()
        with monkeypatch.context() as patch, pytest.raises(Unreachable):
            patch.setattr(sockets, "PONG_SECONDS", 0.2)
            await subscribed.heard()
        await subscribed.close()
        play.stage.clock.advance(MINUTE)
        again = await play.listen()
        assert again.since == NOW + MINUTE
        play.stage.clock.advance(20 * MINUTE)
        assert (await again.heard())[0]


async def test_what_came_before_a_connection_broke_is_not_lost(pool: "Pool") -> None:
    async with playing(pool) as play:
        subscribed = await play.listen()
        play.stage.clock.advance(20 * MINUTE)
        play.fake.flow.bring()
        play.fake.sockets.restart()
        heard, until = await subscribed.heard()
        assert heard and until == NOW, "nothing is proven by it"
        with pytest.raises(Unreachable):
            await subscribed.heard()


async def test_garbage_costs_itself_alone(pool: "Pool") -> None:
    async with playing(pool) as play:
        subscribed = await play.listen()
        play.fake.sockets.say("<html>")
        play.stage.clock.advance(20 * MINUTE)
        heard, _ = await subscribed.heard()
        assert Sample("", "", None, None) in heard and len(heard) > 1
