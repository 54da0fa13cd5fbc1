"""A person at the command line, beside a running daemon, who logs Ana in or out."""

from __future__ import annotations

import pytest
from fix_platforms import Stage, login

from harvester.auth import Account, by_hand
from harvester.auth.sealed import Vault
from harvester.model import Token


async def person(stage: Stage, password: str | None = None) -> tuple[Account, Vault]:
    """Ana's account and its vault, in the hands of another process than the daemon."""
    account = await stage.account_of(login(stage.ana, password), owner="person")
    return account, Vault(account, stage.pool, stage.keys)


async def log_in(stage: Stage, password: str | None = None, *, keep: bool = False) -> Token:
    account, vault = await person(stage, password)
    return await by_hand.log_in(
        account,
        stage.adapter,
        stage.client,
        vault,
        stage.clock,
        keep_password=keep,
        waits=unlooked_for,
    )


async def log_out(stage: Stage) -> bool:
    """Whether there was anything to erase."""
    account, vault = await person(stage)
    _, erased = await by_hand.log_out(
        account, stage.adapter, stage.client, vault, stage.clock, waits=unlooked_for
    )
    return erased


def unlooked_for() -> None:
    pytest.fail("nobody has to be waited for")
