"""What the accounts of one tenant share: their turns at the token endpoint, and their client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harvester.errors import ClientRefused

AT_ONCE = 8
"""Token calls of a tenant."""


class Shared:
    """Of the users' client, or of the tenant's own: a refusal of one says nothing of the other."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._first = asyncio.Lock()
        self._proven = False
        self._fault: tuple[int, ClientRefused] | None = None

    @asynccontextmanager
    async def turn(self, account_id: int) -> AsyncIterator[None]:
        """One may call now. The first goes alone: a wrong client is met by one account, not all.

        Raises ClientRefused where it was met meanwhile.
        """
        async with self._turns:
            if self._proven:
                yield
                return
            async with self._first:
                self.check(account_id)
                yield

    def check(self, account_id: int) -> None:
        """Raises ClientRefused while the client is refused; who met it may look again."""
        if self._fault is not None and self._fault[0] != account_id:
            raise self._fault[1].with_traceback(None)

    def refused(self, account_id: int, fault: ClientRefused) -> None:
        """No account can log in through this client; it is told once, by who met it."""
        self._fault, self._proven = (account_id, fault), False

    def serves(self) -> None:
        """It was not the client that a call failed for, if it failed."""
        self._fault, self._proven = None, True

    def mended(self, account_id: int) -> None:
        """Who met the fault has a token that it did not ask for: somebody logged in since."""
        if self._fault is not None and self._fault[0] == account_id:
            self._fault = None

    def retry(self) -> None:
        """Something was changed: whoever comes first may try."""
        self._fault = None
