"""DeviceHive's subscriptions, before a server that says exactly what a test wants said."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from connected import address, plays
from exchanged import BEARER, START, Talk, talking

from harvester.errors import (
    Forbidden,
    Malformed,
    PlatformError,
    RequestRefused,
    ServerFailed,
    Unauthorized,
    Unreachable,
)
from harvester.model import Said, Sample, Stream
from harvester.platforms.base import Listening, Params, Socket
from harvester.platforms.devicehive import Adapter, listening
from harvester.platforms.devicehive.options import DeviceHiveOptions

Says = dict[str, Any]

GOOD: Says = {"status": "success", "subscriptionId": 7}
TOLD = datetime(2026, 3, 1, 11, 59, 58, 250_000, tzinfo=UTC)


@dataclass(slots=True)
class Server:
    """`before` is said before the answer to a request of that action, `answers` in its place."""

    before: Mapping[str, list[object]] = field(default_factory=dict)
    answers: Mapping[str, Says | None] = field(default_factory=dict)
    asked: list[Says] = field(default_factory=list)
    lines: list[web.WebSocketResponse] = field(default_factory=list)

    async def play(self, there: web.WebSocketResponse) -> None:
        self.lines.append(there)
        async for message in there:
            asked = message.json()
            self.asked.append(asked)
            for said in self.before.get(asked["action"], []):
                await there.send_json(said)
            answer = self.answers.get(asked["action"], GOOD)
            if answer is not None:
                own = {"action": asked["action"], "requestId": asked["requestId"]}
                await there.send_json(own | answer)


@dataclass(slots=True)
class Api:
    """An account with a good token; `Keeper` is not in this."""

    talk: Talk

    async def get(self, path: str, params: Params | None = None) -> object:
        raise AssertionError((path, params))

    async def socket(self, url: str, greet: Callable[[Socket, str], Awaitable[None]]) -> Socket:
        socket = await self.talk.client.socket(url)
        try:
            await greet(socket, BEARER)
        except BaseException:
            await socket.close()
            raise
        return socket


@dataclass(slots=True)
class Play:
    """An adapter that listens to a server; the clock is ours."""

    adapter: Adapter
    talk: Talk
    opened: list[Listening] = field(default_factory=list)

    async def listen(self, stream: Stream = "readings") -> Listening:
        self.opened.append(await self.adapter.listen(Api(self.talk), stream))
        return self.opened[-1]


@asynccontextmanager
async def at(server: Server) -> AsyncIterator[Play]:
    """What is listened to is closed at the end."""
    async with talking(plays(server.play)) as talk:
        settings = DeviceHiveOptions(
            base_url="https://hive.example/api/rest",
            websocket_url=address(talk),
            ingest="websocket",
        )
        play = Play(Adapter(settings), talk)
        try:
            yield play
        finally:
            for each in play.opened:
                await each.close()


def notified(value: object, device: object = "probe-1", **changes: object) -> Says:
    notification = {
        "id": 12,
        "notification": "temperature",
        "deviceId": device,
        "networkId": 7,
        "deviceTypeId": 1,
        "timestamp": "2026-03-01T11:59:58.250",
        "parameters": {"value": value},
    }
    return {
        "action": "notification/insert",
        "subscriptionId": 7,
        "notification": notification | changes,
    }


def sample(value: object, device: str = "probe-1") -> Sample:
    return Sample(device, "temperature", TOLD, value, "0000000012")


@pytest.mark.parametrize(("ingest", "listens"), [("websocket", True), ("polling", False)])
def test_both_streams_are_listened_to_where_that_is_wanted(ingest: str, listens: bool) -> None:
    told = {"base_url": "https://hive.example/api/rest", "ingest": ingest}
    adapter = Adapter(DeviceHiveOptions.model_validate(told))
    assert [adapter.listens(stream) for stream in adapter.streams] == [listens, listens]


async def test_one_subscription_is_asked_for_once_the_account_is_proven() -> None:
    server = Server()
    async with at(server) as play:
        subscribed = await play.listen()
        assert subscribed.since == START
        assert await subscribed.heard() == ([], START)
        assert server.asked == [
            {"action": "authenticate", "requestId": "authenticate", "token": BEARER},
            {"action": "notification/subscribe", "requestId": "notifications"},
        ]


async def test_new_commands_and_answers_to_commands_are_two_subscriptions() -> None:
    server = Server()
    async with at(server) as play:
        await play.listen("task_reports")
        assert [(each["action"], each["returnUpdatedCommands"]) for each in server.asked[1:]] == [
            ("command/subscribe", False),
            ("command/subscribe", True),
        ]


async def test_what_is_pushed_before_the_acknowledgement_is_heard() -> None:
    server = Server(before={"notification/subscribe": [notified(1), notified(2, "probe-2")]})
    async with at(server) as play:
        subscribed = await play.listen()
        await server.lines[0].send_json(notified(3))
        assert (await subscribed.heard())[0] == [sample(1), sample(2, "probe-2"), sample(3)]
        assert (await subscribed.heard())[0] == []


@pytest.mark.parametrize("action", ["authenticate", "notification/subscribe"])
@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"code": 401}, Unauthorized),
        ({"code": 403}, Forbidden),
        ({"code": 404}, Forbidden),
        ({"code": 400}, RequestRefused),
        ({"code": 500}, ServerFailed),
        ({"code": 503, "requestId": None, "action": None}, ServerFailed),
        ({}, Malformed),
        ({"code": "401"}, Malformed),
    ],
)
async def test_a_refusal_is_told_by_its_code_alone(
    action: str, said: Says, error: type[PlatformError]
) -> None:
    server = Server(answers={action: {"status": "error", "error": f"no {BEARER}"} | said})
    async with at(server) as play:
        with pytest.raises(error, match=f"^{action}: ") as caught:
            await play.listen()
        assert type(caught.value) is error and BEARER not in str(caught.value)
        assert server.lines[0].closed, "nothing is left open"


@pytest.mark.parametrize("action", ["authenticate", "notification/subscribe"])
async def test_a_platform_that_does_not_answer_is_not_waited_for(
    action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "ANSWER_SECONDS", 0.3)
    others: list[object] = [
        {"action": action, "requestId": "another", "status": "success"},
        notified(1),
    ]
    server = Server(before={action: others}, answers={action: None})
    async with at(server) as play:
        with pytest.raises(Unreachable, match=f"{action}: no answer in"):
            await play.listen()
        assert server.lines[0].closed


async def test_who_stops_waiting_leaves_nothing_open() -> None:
    server = Server(answers={"notification/subscribe": None})
    async with at(server) as play:
        subscribing = asyncio.create_task(play.listen())
        while len(server.asked) < 2:
            await asyncio.sleep(0)
        subscribing.cancel()
        await asyncio.wait([subscribing])
        assert server.lines[0].closed


async def test_time_is_proven_until_a_little_before_an_answered_ping() -> None:
    """A message may still be under way in the platform when it answers the ping."""
    async with at(Server()) as play:
        subscribed = await play.listen()
        for passed, proven in [(1, 0), (9, 10 - 2), (0, 10 - 2), (60, 70 - 2)]:
            play.talk.clock.advance(timedelta(seconds=passed))
            assert await subscribed.heard() == ([], START + timedelta(seconds=proven))
        play.talk.clock._now -= timedelta(hours=1)
        assert await subscribed.heard() == ([], START + timedelta(seconds=68)), "never backwards"


async def test_many_messages_leave_others_their_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "AT_ONCE", 10)
    turns, seen = 0, list[int]()

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def read(_device: str, _brought: object) -> Iterator[Said]:
        seen.append(turns)
        yield from ()

    server = Server(before={"notification/subscribe": [notified(n) for n in range(50)]})
    async with talking(plays(server.play)) as talk:
        subscribed = await listening.subscribed(Api(talk), address(talk), "readings", read)
        busy = asyncio.create_task(others())
        await subscribed.heard()
        busy.cancel()
        await subscribed.close()
    assert len(seen) == 50 and len(set(seen)) == 5


async def test_an_error_about_a_subscription_ends_it() -> None:
    server = Server()
    async with at(server) as play:
        subscribed = await play.listen()
        await server.lines[0].send_json({"status": "error", "code": 500, "error": "Internal"})
        with pytest.raises(ServerFailed, match="a subscription: 500"):
            await subscribed.heard()


async def test_what_is_no_message_of_ours_is_ignored_or_rejected_in_the_open() -> None:
    server = Server()
    async with at(server) as play:
        subscribed = await play.listen()
        line = server.lines[0]
        for said in ({}, {"action": "device/list", "status": "success"}, {"action": 5}):
            await line.send_json(said)
        await line.send_str("<html>")
        for odd in (7, [1], notified(1, device=None), {"action": "notification/insert"}):
            await line.send_json(odd)
        heard, _ = await subscribed.heard()
        assert heard == [
            Sample("", "", None, None),
            Sample("", "", None, 7),
            Sample("", "", None, [1]),
            sample(1, ""),
            Sample("", "", None, None),
        ]


async def test_what_came_before_a_break_is_told_before_it_is_raised() -> None:
    server = Server()
    async with at(server) as play:
        subscribed = await play.listen()
        await server.lines[0].send_json(notified(1))
        await server.lines[0].close()
        assert await subscribed.heard() == ([sample(1)], START)
        with pytest.raises(Unreachable):
            await subscribed.heard()
