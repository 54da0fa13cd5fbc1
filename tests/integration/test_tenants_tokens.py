"""Tokens of tenants at work: kept alive without a job, and tried again when a person says so."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from fix_tenants import ACME, Shop, series

from harvester.auth.life import MOST_TRIES
from harvester.errors import StoreUnavailable
from harvester.store import credentials

TOKENS = "acme tokens"
HOUR = timedelta(hours=1)


async def states(shop: Shop) -> dict[str, int]:
    rows = await shop.house.pool.fetch(
        "select state, count(*) from harvester.accounts where tenant = 'acme' group by state"
    )
    return {row["state"]: row["count"] for row in rows}


async def generations(shop: Shop) -> set[int]:
    """Which tokens of their lines the users have in the database."""
    rows = await shop.house.pool.fetch(
        "select generation from vault.credential where refresh_token is not null"
    )
    return {row["generation"] for row in rows}


@pytest.fixture
async def acme(shop: Shop) -> Shop:
    """One tenant, whose accounts are logged in; nothing was read."""
    await shop.tenants.begin(shop.settings.tenants[0])
    await shop.tenants.scheduler.tick(TOKENS)
    return shop


async def test_a_refresh_token_is_renewed_though_no_job_is_due(acme: Shop) -> None:
    logins = acme.fake.token_calls["password"]
    assert logins == len(acme.settings.tenants[0].accounts)
    for _ in range(10):
        acme.clock.advance(12 * HOUR)
        await acme.tenants.scheduler.tick(TOKENS)
    assert acme.fake.token_calls["password"] == logins, "48 hours would have been over"
    assert acme.fake.token_calls["refresh_token"] == 5 * logins
    assert acme.fake.violations == []


async def test_the_metrics_tell_how_long_the_tokens_last(acme: Shop) -> None:
    [tenant] = acme.tenants
    acme.clock.advance(HOUR)
    tenant.measure()
    told = series("acme")
    of = '{platform="mydevices",tenant="acme"}'
    assert told[f"harvester_access_token_remaining_seconds{of}"] == 23 * 3600
    assert told[f"harvester_refresh_token_remaining_seconds{of}"] == 47 * 3600
    assert told[f"harvester_password_logins_left{of}"] == MOST_TRIES
    assert f"harvester_session_remaining_seconds{of}" not in told, "nothing ends for good"


async def test_a_reload_tries_again_what_was_refused(acme: Shop) -> None:
    users = [each.user for each in acme.settings.tenants[0].accounts]
    acme.fake.tokens.disabled.update(users)
    acme.clock.advance(25 * HOUR)
    await acme.tenants.scheduler.tick(TOKENS)
    assert (await states(acme))["quarantined"] == len(users)
    acme.fake.tokens.disabled.clear()
    calls = acme.fake.token_calls.total()
    acme.clock.advance(HOUR)
    await acme.tenants.scheduler.tick(TOKENS)
    assert acme.fake.token_calls.total() == calls, "nobody asked for it"
    assert await acme.reload(acme.settings).now()
    await acme.tenants.scheduler.tick(TOKENS)
    assert "quarantined" not in await states(acme)


@pytest.mark.parametrize("ends", ["reload", "stop"])
async def test_a_token_that_nothing_took_outlives_the_end_of_its_tenant(
    acme: Shop, ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the database, which was away, nor the file, whose disk was full."""

    async def away(*_: object) -> None:
        raise StoreUnavailable("away")

    acme.house.spills.rmdir()
    acme.house.spills.write_text("in the way of the folder")
    acme.clock.advance(25 * HOUR)
    with monkeypatch.context() as outage:
        outage.setattr(credentials, "save", away)
        await acme.tenants.scheduler.tick(TOKENS)
    if ends == "reload":
        await acme.tenants.begin(acme.settings.tenants[0])
    else:
        await acme.tenants.drain()
    assert await generations(acme) == {2}
    assert acme.fake.token_calls["refresh_token"] == len(acme.settings.tenants[0].accounts)


async def test_a_job_and_the_keeping_of_tokens_share_one_lease(shop: Shop) -> None:
    await shop.tenants.begin(shop.settings.tenants[0])
    scheduler = shop.tenants.scheduler
    await asyncio.gather(scheduler.tick(TOKENS), scheduler.tick(ACME))
    runs = series("acme", "job_runs")
    assert {key: count for key, count in runs.items() if count and "readings" in key} == {
        'harvester_job_runs_total{outcome="done",stream="readings",tenant="acme"}': 1
    }
