"""A token call: bounded in time, and never broken off half-way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from contextlib import suppress

from harvester.errors import Unreachable
from harvester.model import Token

LONGEST_CALL = 150.0
"""Seconds of a login or a renewal, with its wait for a slot."""


async def to_its_end(asked: Coroutine[None, None, Token]) -> Token:
    """Whoever asks may be cancelled, and the call goes on: if it broke off, nobody could tell
    whether the refresh token was used up, or would learn that the password is wrong."""
    call = asyncio.create_task(asked)
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        with suppress(Exception):
            await call
        raise


async def in_time(asked: Awaitable[Token]) -> Token:
    """Raises Unreachable where it takes too long."""
    try:
        async with asyncio.timeout(LONGEST_CALL):
            return await asked
    except TimeoutError:
        # Longer, and another instance could begin a renewal of its own.
        raise Unreachable(f"no answer within {LONGEST_CALL:.0f} s") from None
