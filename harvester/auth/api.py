"""Reads on behalf of an account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from harvester.auth.keeper import Keeper
from harvester.errors import Unauthorized
from harvester.platforms.base import Params


class Reads(Protocol):
    """One GET with a bearer token, which is asked for right before it is sent, as `client` has."""

    async def get(
        self, url_or_path: str, params: Params | None, bearer: Callable[[], Awaitable[str]]
    ) -> object: ...


class AccountApi:
    """Reads of one account: `platforms.base.Api`. A refused token is renewed once."""

    def __init__(self, keeper: Keeper, reads: Reads) -> None:
        self._keeper = keeper
        self._reads = reads

    async def get(self, path: str, params: Params | None = None) -> object:
        """The decoded answer. Raises TokenError where a token just renewed is refused too."""
        token = await self._keeper.token()

        async def bearer() -> str:
            nonlocal token
            token = await self._keeper.token()  # a slot or a pause was waited for since
            return token.access_token

        try:
            return await self._reads.get(path, params, bearer)
        except Unauthorized:
            await self._keeper.replace(token)
        try:
            return await self._reads.get(path, params, bearer)
        except Unauthorized as error:
            raise self._keeper.distrust() from error
