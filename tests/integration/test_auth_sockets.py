"""Sockets of an account: a refused token costs one renewal, and no refusal leaves one open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from connected import address, plays
from exchanged import said, talking
from fix_platforms import Stage, staged

from harvester.auth import AccountApi
from harvester.errors import (
    PlatformError,
    RequestRefused,
    ServerFailed,
    TokenError,
    Unauthorized,
    Unreachable,
)
from harvester.platforms.base import Socket

if TYPE_CHECKING:
    from harvester.store.pool import Pool


@dataclass(slots=True)
class Door:
    """A platform's socket that says "come in", but not to the first few tokens."""

    refuses: int = 0
    error: PlatformError | None = None
    tokens: list[str] = field(default_factory=list)
    lines: list[web.WebSocketResponse] = field(default_factory=list)
    url: str = ""

    async def part(self, there: web.WebSocketResponse) -> None:
        self.lines.append(there)
        self.tokens.append(await there.receive_json())
        await there.send_json("no" if len(self.tokens) <= self.refuses else "come in")
        await there.receive()

    async def greet(self, socket: Socket, token: str) -> None:
        await socket.send(token)
        if await socket.receive() == "no":
            raise self.error or Unauthorized("no")


@asynccontextmanager
async def answering(door: Door) -> AsyncIterator[Door]:
    async with talking(plays(door.part)) as talk:
        door.url = address(talk)
        yield door


@pytest.fixture
async def stage(pool: "Pool") -> AsyncIterator[Stage]:
    async with staged("mydevices", pool) as stage:
        yield stage


async def test_an_account_greets_with_its_token(stage: Stage) -> None:
    keeper = await stage.keeper()
    async with answering(Door()) as door:
        socket = await AccountApi(keeper, stage.client).socket(door.url, door.greet)
        assert await socket.alive()
        assert door.tokens == [(await keeper.token()).access_token]
        assert stage.fake.token_calls == {"password": 1}
        await socket.close()


async def test_a_refused_token_is_renewed_once_and_greeted_with_on_another_socket(
    stage: Stage,
) -> None:
    keeper = await stage.keeper()
    first = await keeper.token()
    async with answering(Door(refuses=1)) as door:
        socket = await AccountApi(keeper, stage.client).socket(door.url, door.greet)
        assert await socket.alive()
        assert door.tokens == [first.access_token, (await keeper.token()).access_token]
        assert [line.closed for line in door.lines] == [True, False]
        assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}
        await socket.close()


async def test_a_renewed_token_that_is_refused_too_opens_no_socket(stage: Stage) -> None:
    api = await stage.api()
    async with answering(Door(refuses=9)) as door:
        with pytest.raises(TokenError) as caught:
            await api.socket(door.url, door.greet)
        assert caught.value.reason == "unauthorized_after_refresh"
        with pytest.raises(TokenError):
            await api.socket(door.url, door.greet)
        assert all(line.closed for line in door.lines) and len(door.lines) == 3
        assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_another_refusal_is_no_fault_of_the_token(stage: Stage) -> None:
    api = await stage.api()
    async with answering(Door(refuses=1, error=ServerFailed("later"))) as door:
        with pytest.raises(ServerFailed):
            await api.socket(door.url, door.greet)
        assert [line.closed for line in door.lines] == [True]
    async with talking(said(401)) as talk:
        with pytest.raises(RequestRefused):
            await api.socket(address(talk), door.greet)
    with pytest.raises(Unreachable):
        await api.socket(door.url, door.greet)
    assert stage.fake.token_calls == {"password": 1}


async def test_who_stops_waiting_for_a_greeting_leaves_nothing_open(stage: Stage) -> None:
    api = await stage.api()
    begun = asyncio.Event()

    async def greet(socket: Socket, _token: str) -> None:
        begun.set()
        await socket.receive()

    async with answering(Door()) as door:
        opening = asyncio.create_task(api.socket(door.url, greet))
        await begun.wait()
        opening.cancel()
        await asyncio.wait([opening])
        assert opening.cancelled()
        assert [line.closed for line in door.lines] == [True]
