"""Token calls, none of which is broken off half-way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Protocol, TypeVar

from harvester.platforms.base import Exchange

LONGEST_CALL = 310.0
"""Seconds of a renewal with all its calls: looked for, refused, logged in anew, and narrowed."""

_T = TypeVar("_T")


class Calls(Exchange, Protocol):
    """Token calls, and whether whoever takes them answers at all, as `client` offers it."""

    async def answers(self, url: str) -> bool: ...


async def to_its_end(asked: Coroutine[None, None, _T]) -> _T:
    """Whoever asks may be cancelled, and the call goes on: if it broke off, nobody could tell
    whether the refresh token was used up, or would learn that the password is wrong."""
    call = asyncio.create_task(asked)
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        while not call.done():
            with suppress(asyncio.CancelledError):  # of two ends at once: a reload and a stop
                await asyncio.wait([call])
        if not call.cancelled():
            call.exception()  # what it raised is kept in the account's row
        raise
