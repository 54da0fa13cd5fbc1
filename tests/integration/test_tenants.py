"""Tenants at work that are added, changed and taken away."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from befallen import Gate
from fix_store import lock_waits
from fix_tenants import ACME, ACME_TASKS, GLOBEX, GLOBEX_TASKS, SOON, Shop, series
from structlog.testing import capture_logs

from harvester.auth.calls import LONGEST_CALL
from harvester.config import Settings
from harvester.errors import ConfigError
from harvester.service import tenants as module
from harvester.service.reload import Reload
from harvester.simulator.faults import Answer, Fault, html_page
from harvester.store import leases

if TYPE_CHECKING:
    from harvester.store.pool import Pool


async def hangs(request: web.Request, _honest: Answer) -> web.StreamResponse:
    await asyncio.sleep(60)
    raise AssertionError(request)


async def working(shop: Shop, job: str) -> asyncio.Task[None]:
    """A tick that hangs at the platform, in its discovery."""
    asked = shop.fake.requests.total()
    shop.fake.faults.add(Fault("/companies", hangs, times=None))
    tick = asyncio.create_task(shop.tenants.scheduler.tick(job))
    while shop.fake.requests.total() < asked + 2:
        await asyncio.sleep(0.01)
    return tick


async def test_a_tenant_whose_platform_is_dead_can_be_removed(shop: Shop) -> None:
    await shop.begun()
    tick = await working(shop, ACME)
    assert series("acme")
    async with asyncio.timeout(5):
        await shop.tenants.remove("acme")
    await tick
    assert [tenant.name for tenant in shop.tenants] == ["globex"]
    assert series("acme") == {}
    assert series("globex")
    rows = await shop.house.pool.fetch(
        "select from harvester_data.tenant_lease where until > now()"
    )
    assert rows == []


async def test_one_that_takes_long_to_end_holds_no_other_up(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DRAIN", timedelta(seconds=30))
    await shop.tenants.begin(shop.settings.tenants[0])
    tick = await working(shop, ACME)
    reload = asyncio.create_task(shop.reload(shop.without("acme")).now())
    async with asyncio.timeout(5):
        while "globex" not in [tenant.name for tenant in shop.tenants]:
            await asyncio.sleep(0.01)
    assert not reload.done()
    reload.cancel()
    await asyncio.wait([reload])
    assert {tenant.name for tenant in shop.tenants} == {"acme", "globex"}, "the drain ends both"
    monkeypatch.setattr(module, "DRAIN", SOON)
    await shop.tenants.drain()
    await tick


async def test_a_drain_keeps_the_token_that_is_on_its_way(shop: Shop) -> None:
    assert module.FAREWELL > LONGEST_CALL
    await shop.tenants.begin(shop.settings.tenants[0])
    gate = Gate()
    shop.fake.faults.add(Fault("POST ", gate, times=None))
    tick = asyncio.create_task(shop.tenants.scheduler.tick(ACME))
    await gate.arrived.wait()
    with capture_logs() as told:
        drain = asyncio.create_task(shop.tenants.drain())
        while not any("cancelled" in each["event"] for each in told):
            await asyncio.sleep(0.01)
        gate.open.set()
        await drain
    await tick
    everybody = len(shop.settings.tenants[0].accounts) + 1  # with the tenant's own client
    kept = await shop.house.pool.fetchval("select count(*) from vault.credential")
    assert kept == everybody


async def test_a_change_that_fails_leaves_the_old_one_at_work(shop: Shop) -> None:
    await shop.begun()
    [acme, globex] = shop.tenants
    await shop.house.pool.execute(
        "update harvester_data.tenant set platform = 'x' where tenant_id = 1"
    )
    changed = [each.model_copy(update={"interval": timedelta(1)}) for each in shop.settings.tenants]
    wanted = shop.settings.model_copy(update={"tenants": tuple(changed)})
    with capture_logs() as told:
        assert not await shop.reload(wanted).now()
    assert [each["tenant"] for each in told if "not applied" in each["event"]] == ["acme"]
    [kept, new] = shop.tenants
    assert (kept, kept.settings.interval) == (acme, shop.settings.tenants[0].interval)
    assert (new is not globex, new.settings.interval) == (True, timedelta(1))
    jobs = {ACME, ACME_TASKS, "acme tokens", GLOBEX, GLOBEX_TASKS, "globex tokens"}
    assert {each.name for each in shop.tenants.scheduler.planned()} == jobs
    await shop.tenants.scheduler.tick(ACME)
    assert (
        series("acme", "job_runs_total")[
            'harvester_job_runs_total{outcome="done",stream="readings",tenant="acme"}'
        ]
        == 1
    )


async def test_who_is_not_changed_is_the_same_object_with_the_same_time(shop: Shop) -> None:
    await shop.begun()
    [acme, globex] = shop.tenants
    assert await shop.reload(shop.settings).now()
    assert list(shop.tenants) == [acme, globex]
    assert await shop.reload(shop.without("globex")).now()
    assert list(shop.tenants) == [acme]
    assert await shop.reload(shop.settings).now()
    assert next(iter(shop.tenants)) is acme


async def test_a_change_keeps_the_counts_and_counts_each_account_once(shop: Shop) -> None:
    await shop.begun()
    await shop.tenants.scheduler.tick(ACME)
    stored = series("acme", "readings_stored_total")
    accounts = series("acme", "accounts")
    [acme, globex] = shop.settings.tenants
    changed = acme.model_copy(update={"history": timedelta(days=2)})
    assert await shop.reload(shop.settings.model_copy(update={"tenants": (changed, globex)})).now()
    assert sum(series("acme", "accounts").values()) == 0
    another = await leases.take(shop.house.pool, 1, "another", timedelta(seconds=60))
    assert another is None, "who waits for the tenant elsewhere is not meant"
    await shop.tenants.scheduler.tick(ACME)
    assert series("acme", "accounts") == accounts
    assert series("acme", "readings_stored_total") == stored


async def test_a_failure_of_a_tenant_that_left_is_told_anew_when_it_is_back(shop: Shop) -> None:
    shop.fake.faults.add(Fault("/companies", html_page(), times=None))
    with capture_logs() as told:
        for _ in range(2):
            await shop.tenants.begin(shop.settings.tenants[0])
            for _ in range(2):
                await shop.tenants.scheduler.tick(ACME)
            await shop.tenants.remove("acme")
    failing = [each["what"] for each in told if each["event"] == "failing"]
    assert len(set(failing)) * 2 == len(failing) > 0


async def test_whatever_the_reading_raises_the_daemon_goes_on(shop: Shop) -> None:
    def reread() -> Settings:
        raise RuntimeError("odd")

    await shop.begun()
    with capture_logs() as told:
        reload = Reload(shop.settings, reread, shop.tenants, shop.house.keys, shop.clock)
        assert not await reload.now()
    assert told[0]["event"].startswith("the configuration cannot be read")
    assert series(name="config_last_reload_successful") == {
        "harvester_config_last_reload_successful": 0
    }
    assert len(shop.tenants) == 2


async def test_an_extension_on_its_way_does_not_outlive_the_release(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, let_go, extend = asyncio.Event(), asyncio.Event(), leases.extend

    async def slow(pool: Pool, lease: leases.Lease, lasts: timedelta) -> None:
        arrived.set()
        await let_go.wait()
        await extend(pool, lease, lasts)

    monkeypatch.setattr(leases, "extend", slow)
    await shop.begun()
    await shop.tenants.scheduler.tick(ACME)
    [acme, _] = shop.tenants
    extending = asyncio.create_task(acme.extend())
    await arrived.wait()
    releasing = asyncio.create_task(acme.release())
    await asyncio.wait([releasing], timeout=0.1)
    let_go.set()
    await asyncio.gather(extending, releasing)
    assert await leases.take(shop.house.pool, 1, "another", timedelta(seconds=60))
    assert series("acme", "lease_held") == {'harvester_lease_held{tenant="acme"}': 0}


async def test_a_tenant_of_another_instance_is_told_once_and_not_counted(shop: Shop) -> None:
    await shop.begun()
    lease = await leases.take(shop.house.pool, 1, "another", timedelta(seconds=60))
    assert lease
    with capture_logs() as told:
        for _ in range(3):
            await shop.tenants.scheduler.tick(ACME)
        assert sum(series("acme", "job_runs_total").values()) == 0
        await leases.release(shop.house.pool, lease)
        await shop.tenants.scheduler.tick(ACME)
    assert [each["event"] for each in told] == [
        "worked by another instance",
        "worked by this instance again",
    ]
    assert sum(series("acme", "job_runs_total").values()) == 1
    assert series("acme", "lease_held") == {'harvester_lease_held{tenant="acme"}': 1}


async def test_who_is_fenced_in_the_middle_waits_and_fails_nothing(shop: Shop) -> None:
    await shop.begun()

    async def taken(request: web.Request, honest: Answer) -> web.StreamResponse:
        await shop.house.pool.execute("update harvester_data.tenant_lease set until = '-infinity'")
        await leases.take(shop.house.pool, 1, "another", timedelta(seconds=60))
        return await honest(request)

    shop.fake.faults.add(Fault("/readings", taken, times=1))
    with capture_logs() as told:
        await shop.tenants.scheduler.tick(ACME)
        await shop.tenants.scheduler.tick(ACME)
    assert [each["event"] for each in told] == ["worked by another instance"]


async def test_a_tenant_on_another_platform_cannot_be_begun(shop: Shop) -> None:
    await shop.house.pool.execute(
        "insert into harvester_data.tenant (name, platform) values ('acme', 'devicehive')"
    )
    with pytest.raises(ConfigError, match="cannot move to another platform"):
        await shop.begun()
    assert len(shop.tenants) == 0


async def test_a_lease_that_waits_does_not_let_the_others_end(shop: Shop) -> None:
    await shop.begun()
    for job in (ACME, GLOBEX):
        await shop.tenants.scheduler.tick(job)
    until = "select until from harvester_data.tenant_lease where tenant_id = 2"
    async with shop.house.pool.acquire() as other, other.transaction():
        before = await other.fetchval(until)
        await other.execute(
            "select from harvester_data.tenant_lease where tenant_id = 1 for update"
        )
        extending = asyncio.create_task(shop.tenants.extend())
        await lock_waits(other)
        async with asyncio.timeout(5):
            while await shop.house.pool.fetchval(until) == before:
                await asyncio.sleep(0.01)
    await extending
