"""Reads and sockets on behalf of an account."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from harvester.auth.blame import forbidden, is_token_dead
from harvester.auth.keeper import Keeper
from harvester.errors import Unauthorized
from harvester.model import Token
from harvester.platforms.base import Params, Socket

Given = TypeVar("Given")
Bearer = Callable[[], Awaitable[str]]
"""Asked for the access token right before it is sent."""


class Reads(Protocol):
    """What is done with a bearer token, and a socket that was told none yet, as `client` has."""

    async def get(self, url_or_path: str, params: Params | None, bearer: Bearer) -> object: ...

    async def socket(self, url: str) -> Socket: ...


class AccountApi:
    """One account's `platforms.base.SocketApi`.

    A token that is no good is renewed once; one that is good, where a permission is missing, never.
    """

    def __init__(self, keeper: Keeper, reads: Reads) -> None:
        self._keeper = keeper
        self._reads = reads
        self._turn = asyncio.Lock()
        self._is_proven = False
        """Whether the account's tokens are known to be of the place that is read: one from before a
        change of the configuration may be of another."""

    async def get(self, path: str, params: Params | None = None) -> object:
        """The decoded answer. Raises TokenError where a token just renewed is refused too, and
        Forbidden (401) where the token is not to blame."""
        return await self._trusted(lambda bearer: self._reads.get(path, params, bearer))

    async def socket(self, url: str, greet: Callable[[Socket, str], Awaitable[None]]) -> Socket:
        """An open one, greeted. Raises as `get` does where the token is refused."""

        async def greeted(bearer: Bearer) -> Socket:
            socket = await self._reads.socket(url)
            try:
                await greet(socket, await bearer())
            except BaseException:
                await socket.close()
                raise
            return socket

        return await self._trusted(greeted)

    async def _trusted(self, ask: Callable[[Bearer], Awaitable[Given]]) -> Given:
        token = await self._keeper.token()

        async def bearer() -> str:
            nonlocal token
            token = await self._keeper.token()  # a slot or a pause was waited for since
            return token.access_token

        given = await _asked(ask, bearer)
        if isinstance(given, Unauthorized) and self._is_permission(given):
            given = await _asked(ask, bearer)  # a check that failed within reads the same
        if isinstance(given, Unauthorized):
            await self._renew(token, given)
            given = await _asked(ask, bearer)
        if isinstance(given, Unauthorized):
            raise forbidden(given) if self._is_permission(given) else self._keeper.distrust()
        return given

    async def _renew(self, token: Token, refusal: Unauthorized) -> None:
        """Raises Forbidden where the token is good, and what the renewal and the probe raise."""
        async with self._turn:  # many are refused at once, and one of them finds out
            is_newest = await self._keeper.token() is token
            if is_newest and not await self._is_dead(token, refusal):
                raise forbidden(refusal)
            await self._keeper.replace(token)
            self._is_proven = True

    async def _is_dead(self, token: Token, refusal: Unauthorized) -> bool:
        """As far as can be told. A token of which nobody knows is taken for dead once."""
        if self._is_proven and self._is_permission(refusal):
            return False

        async def same() -> str:
            return token.access_token

        keeper, reads = self._keeper, self._reads
        is_dead = await is_token_dead(
            keeper.adapter, keeper.credentials, refusal, lambda path: reads.get(path, None, same)
        )
        if is_dead is None:
            return not self._is_proven
        self._is_proven |= not is_dead
        return is_dead

    def _is_permission(self, refusal: Unauthorized) -> bool:
        return self._keeper.adapter.is_about_token(refusal.body) is False


async def _asked(ask: Callable[[Bearer], Awaitable[Given]], bearer: Bearer) -> Given | Unauthorized:
    """What was given, or the refusal. Not raised: what comes of it would keep the answer."""
    try:
        return await ask(bearer)
    except Unauthorized as refusal:
        return refusal
