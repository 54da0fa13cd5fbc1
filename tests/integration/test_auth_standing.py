"""How many accounts are in which state is told by a gauge that counts each once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fix_platforms import Stage, login, staged
from persons import log_in
from prometheus_client import REGISTRY

from harvester import metrics
from harvester.auth.held import FIRST_BACKOFF, LOOK_EVERY
from harvester.errors import CredentialRefused, ServerFailed
from harvester.model import Credentials
from harvester.simulator.faults import Fault, refuse

if TYPE_CHECKING:
    from harvester.store.pool import Pool

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def nobody_counted() -> Iterator[None]:
    metrics.forget("acme")
    metrics.expect("acme", "mydevices")
    yield
    metrics.forget("acme")


@pytest.fixture
async def stage(pool: Pool) -> AsyncIterator[Stage]:
    async with staged("mydevices", pool) as stage:
        yield stage


def standing() -> dict[str, float]:
    """How many accounts are in each state that any is in."""
    labels = {"tenant": "acme", "platform": "mydevices"}
    counts = {
        state: REGISTRY.get_sample_value("harvester_accounts", labels | {"state": state})
        for state in metrics.ACCOUNT_STATES
    }
    return {state: count for state, count in counts.items() if count}


async def test_an_account_moves_between_the_states_and_is_counted_once(stage: Stage) -> None:
    keeper = await stage.keeper()
    assert standing() == {"unproven": 1}
    await keeper.token()
    assert standing() == {"active": 1}
    stage.fake.faults.add(Fault("/oauth/token", refuse(503)))
    stage.clock.advance(DAY)
    with pytest.raises(ServerFailed):
        await keeper.token()
    assert standing() == {"failing": 1}
    stage.clock.advance(FIRST_BACKOFF)
    await keeper.token()
    assert standing() == {"active": 1}


async def test_a_refused_account_is_quarantined_until_somebody_logs_in(stage: Stage) -> None:
    keeper, other = await stage.keeper(Credentials(stage.ana.name)), await stage.keeper()
    with pytest.raises(CredentialRefused):
        await keeper.token()
    assert standing() == {"needs_login": 1, "unproven": 1}
    refused = await stage.keeper(login(stage.ana, "wrong"))
    with pytest.raises(CredentialRefused):
        await refused.token()
    assert standing() == {"needs_login": 1, "quarantined": 1, "unproven": 1}
    refused.leave()
    await log_in(stage)
    stage.clock.advance(LOOK_EVERY)
    assert await keeper.token() == await other.token()
    assert standing() == {"active": 2}


async def test_who_leaves_is_counted_no_more_even_if_it_ends_later(stage: Stage) -> None:
    keeper, successor = await stage.keeper(), await stage.keeper()
    await keeper.token()
    keeper.leave()
    keeper.leave()
    assert standing() == {"unproven": 1}
    successor.leave()
    metrics.forget("acme")
    stage.clock.advance(DAY)
    await keeper.token()  # of a window that was still running
    labels = {"tenant": "acme", "platform": "mydevices", "state": "active"}
    assert REGISTRY.get_sample_value("harvester_accounts", labels) is None
