"""What a person does to an account: logs in with a password typed just now, or logs out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from harvester.auth.calls import in_time, to_its_end
from harvester.auth.held import Account, Held
from harvester.auth.sealed import Vault, elsewhere
from harvester.clock import Clock
from harvester.model import Token
from harvester.platforms.base import Exchange, Platform

PATIENCE = timedelta(seconds=30)
"""How long a renewal of another instance is waited for."""
AGAIN = timedelta(milliseconds=500)

Told = Callable[[], None]
"""Called once, where another instance has to be waited for."""


async def log_in(
    account: Account,
    adapter: Platform,
    exchange: Exchange,
    vault: Vault,
    clock: Clock,
    *,
    keep_password: bool,
    waits: Told,
) -> Token:
    """Log in once, and save the token as the account's newest; its password too, or none.

    Raises PlatformError (then all is as it was), StoreUnavailable.
    """

    async def obtained(fence: int) -> Token:
        last, now = await vault.load(), clock.now()
        token = await in_time(adapter.login(exchange, account.credentials, now))
        held = Held(token, now, last.generation + 1 if last else 1)
        await vault.save_login(fence, held, account.credentials.password if keep_password else None)
        return token

    async with _alone(vault, clock, waits) as fence:
        return await to_its_end(obtained(fence))


async def log_out(vault: Vault, clock: Clock, *, waits: Told) -> bool:
    """Erase the account's token and kept password; whether there was any.

    Raises TokenError where another instance is renewing it, and StoreUnavailable.
    """
    async with _alone(vault, clock, waits) as fence:
        return await vault.forget(fence)


@asynccontextmanager
async def _alone(vault: Vault, clock: Clock, waits: Told) -> AsyncIterator[int]:
    """The fence, waited for. Raises TokenError where another instance keeps it for too long."""
    begun, give_up = False, clock.now() + PATIENCE
    while True:
        async with vault.lease() as fence:
            if fence is not None:
                yield fence
                return
        if clock.now() >= give_up:
            raise elsewhere()
        if not begun:
            begun = True
            waits()
        await clock.sleep_until(clock.now() + AGAIN)
