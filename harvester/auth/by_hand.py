"""What a person does to an account: logs in with a password typed just now, or logs out."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from harvester.auth.calls import to_its_end
from harvester.auth.held import Account, Held
from harvester.auth.life import Life
from harvester.auth.sealed import Vault
from harvester.auth.telling import Telling
from harvester.clock import Clock
from harvester.errors import PlatformError
from harvester.logs import Failures
from harvester.model import Token
from harvester.platforms.base import Access, Exchange

_log = structlog.stdlib.get_logger(__name__)

Told = Callable[[], None]
"""Called once, where another instance has to be waited for."""


async def log_in(
    account: Account,
    adapter: Access,
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
    telling, grant = Telling(account, clock, Failures(_log)), adapter.grant(account.credentials)

    async def obtained(fence: int) -> Token:
        kept, now = await vault.load_over(), clock.now()
        try:
            token = await adapter.login(exchange, account.credentials, now)
        except PlatformError as error:
            await vault.note(telling.failed(grant, error))
            raise
        held = Held(token, now, kept.generation + 1, logged_in_at=now)
        password = account.credentials.password if keep_password else None
        event = telling.event(grant, "ok")
        await vault.save_login(fence, Life(since=now), held, password, event)
        return token

    async with vault.alone(waits) as fence:
        return await to_its_end(obtained(fence))


async def log_out(
    account: Account,
    adapter: Access,
    exchange: Exchange,
    vault: Vault,
    clock: Clock,
    *,
    waits: Told,
) -> tuple[bool, bool]:
    """End the account's token at its platform where that can be done, and erase what is kept.

    Whether it was ended there, and whether anything was kept. Raises TokenError where another
    instance is renewing it, and StoreUnavailable.
    """
    async with vault.alone(waits) as fence:
        kept, now = await vault.load_over(), clock.now()
        ended = await _revoked(account, adapter, exchange, kept.held)
        event = Telling(account, clock, Failures(_log)).event("logout", "ok")
        return ended, await vault.forget(fence, kept.life.logged_out(now), event)


async def _revoked(
    account: Account, adapter: Access, exchange: Exchange, held: Held | None
) -> bool:
    """A platform that does not do it must not keep the token in the database."""
    if held is None:
        return False
    try:
        return await adapter.revoke(exchange, account.credentials, held.token)
    except PlatformError:
        return False
