"""Reads and sockets on behalf of an account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from harvester.auth.keeper import Keeper
from harvester.errors import Unauthorized
from harvester.platforms.base import Params, Socket

Given = TypeVar("Given")
Bearer = Callable[[], Awaitable[str]]
"""Asked for the access token right before it is sent."""


class Reads(Protocol):
    """What is done with a bearer token, and a socket that was told none yet, as `client` has."""

    async def get(self, url_or_path: str, params: Params | None, bearer: Bearer) -> object: ...

    async def socket(self, url: str) -> Socket: ...


class AccountApi:
    """One account's `platforms.base.SocketApi`. A refused token is renewed once."""

    def __init__(self, keeper: Keeper, reads: Reads) -> None:
        self._keeper = keeper
        self._reads = reads

    async def get(self, path: str, params: Params | None = None) -> object:
        """The decoded answer. Raises TokenError where a token just renewed is refused too."""
        return await self._trusted(lambda bearer: self._reads.get(path, params, bearer))

    async def socket(self, url: str, greet: Callable[[Socket, str], Awaitable[None]]) -> Socket:
        """An open one, greeted. Raises TokenError where a token just renewed is refused too."""

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

        try:
            return await ask(bearer)
        except Unauthorized:
            await self._keeper.replace(token)
        try:
            return await ask(bearer)
        except Unauthorized as error:
            raise self._keeper.distrust() from error
