"""What is looked after beside the jobs: when it fails, and when it does not end."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from harvester.errors import EmbeddedPostgresError
from harvester.service import rounds
from harvester.service.rounds import every, kept


async def test_what_only_the_operator_can_mend_stops_the_daemon_and_is_raised() -> None:
    async def look() -> None:
        raise EmbeddedPostgresError("gone")

    stop = asyncio.Event()
    with pytest.raises(EmbeddedPostgresError, match="gone"):
        async with kept(every(60, "server", look), stop=stop):
            await stop.wait()


async def test_a_look_that_fails_is_told_once_and_the_next_one_comes() -> None:
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks < 4:
            raise RuntimeError("odd")

    stop = asyncio.Event()
    with capture_logs() as told:
        async with kept(every(0.01, "watch", look), stop=stop):
            while looks < 5:
                await asyncio.sleep(0.01)
    assert [each["event"] for each in told] == ["failing", "well again"]
    assert not stop.is_set()


async def test_a_look_that_does_not_end_does_not_hold_the_stop_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rounds, "FAREWELL", 0.1)
    begun, answer = asyncio.Event(), asyncio.Event()

    async def look() -> None:
        try:
            begun.set()
            await answer.wait()
        finally:  # as a connection to a frozen database, which waits for its statement's end
            await answer.wait()

    async with asyncio.timeout(5):
        async with kept(every(60, "watch", look), stop=asyncio.Event()):
            await begun.wait()
    answer.set()
