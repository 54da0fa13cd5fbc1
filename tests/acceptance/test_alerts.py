"""What Prometheus makes of a daemon in trouble, and of the alerts' words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import pytest
from acceptance.daemon import HARVESTER, Daemon, running
from acceptance.prometheus import MONITORING, Labels, Prometheus, scraping
from fix_postgres import Database
from fix_simulator import configuration, stored_in
from prometheus_client import REGISTRY

from harvester import auth, metrics
from harvester.platforms import adapter, names
from harvester.simulator.clock import RealClock
from harvester.simulator.mydevices import FakeMydevices, serve
from harvester.simulator.world import World

ROOT = MONITORING.parent
RULES = (MONITORING / "alerts.yml").read_text("utf-8")
ALERTS = re.findall(r"- alert: (\w+)", RULES)
OF_ACME = {"job": "harvester", "tenant": "acme", "platform": "mydevices"}
PASSES = {
    *("unreachable", "throttled", "server_failed", "malformed", "too_large", "request_refused"),
    "unauthorized_after_refresh",
}
"""Why there is no token, where waiting may bring one."""
T = TypeVar("T")


# A daemon looks for a login that mends an account each half minute, if it has a run by then.
@pytest.mark.prometheus
@pytest.mark.timeout(90)
async def test_a_broken_token_fires_and_resolves_when_it_is_mended(
    database: Database, tmp_path: Path
) -> None:
    began = datetime.now(UTC)
    world = World("alerts", RealClock(), began - timedelta(minutes=30), things=2)
    async with serve(world) as fake:
        path = await asyncio.to_thread(
            lambda: configuration(
                world, fake.url, tmp_path, interval="1s", head=stored_in(database, tmp_path)
            )
        )
        async with running(path) as daemon:
            target = urlsplit(await daemon.ready()).netloc
            async with scraping(target, tmp_path / "prometheus") as prometheus:
                await breaks_and_is_mended(fake, daemon, prometheus, path)


async def breaks_and_is_mended(
    fake: FakeMydevices, daemon: Daemon, prometheus: Prometheus, config_file: Path
) -> None:
    user = fake.world.tenants["acme"].users[0]
    accounts = 'harvester_accounts{tenant="acme", state="active"} > 1'
    await until(lambda: prometheus.values(accounts), bool)
    await until(prometheus.firing, lambda firing: firing == {})

    fake.disable(user.name)
    fake.revoke(user.name)
    firing = await until(prometheus.firing, lambda firing: len(firing) > 1)
    assert labels(firing, "HarvesterTokenRefused") == OF_ACME | {
        "severity": "critical",
        "grant": "refresh_token",
        "reason": "account_disabled",
    }
    quarantined = OF_ACME | {"severity": "warning", "state": "quarantined"}
    assert labels(firing, "HarvesterAccountQuarantined") == quarantined
    assert len(firing) == 2

    fake.tokens.disabled.discard(user.name)
    await logged_in(user.name, config_file)
    await until(prometheus.firing, lambda firing: firing == {})
    assert await daemon.end() == 0


def labels(firing: dict[str, Labels], alert: str) -> Labels:
    return {name: value for name, value in firing[alert].items() if name != "instance"}


async def logged_in(user: str, config_file: Path) -> None:
    """As the alert says."""
    login = await asyncio.create_subprocess_exec(
        *(HARVESTER, "login", "acme", user, "--config", config_file),
        *("--password-file", config_file.parent / user),
    )
    assert await login.wait() == 0


async def until(ask: Callable[[], Awaitable[T]], enough: Callable[[T], bool]) -> T:
    """Ask until it is so; what was answered then."""
    while not enough(answer := await ask()):
        await asyncio.sleep(0.2)
    return answer


def test_each_reason_is_either_refused_or_passes() -> None:
    known = {*metrics.TOKEN_REASONS, *auth.REASONS}
    for platform in names():
        known.update(adapter(platform).token_reasons)
    assert known >= PASSES
    groups = re.findall(r'reason([!=]~)"(.*?)"', RULES)
    assert [kind for kind, _ in groups] == ["!~", "!~", "=~", "=~"]
    assert {frozenset(reasons.split("|")) for _, reasons in groups} == {frozenset(PASSES)}


def test_each_metric_of_an_alert_is_one_of_ours() -> None:
    families = {(family.name, family.type) for family in REGISTRY.collect()}
    ours = {f"{name}_total" if kind == "counter" else name for name, kind in families}
    expressions = re.findall(r"\bharvester_(?!data\b)\w+", RULES)
    assert len(expressions) > 10
    assert set(expressions) - ours == set()


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_tried_and_has_its_place_in_the_runbook(alert: str) -> None:
    rule = RULES.partition(f"- alert: {alert}\n")[2].partition("- alert:")[0]
    assert f'alertname="{alert}"' in (MONITORING / "alerts.test.yml").read_text("utf-8")
    assert f"runbook: docs/operating.md#{alert.lower()}\n" in rule
    assert f"\n### {alert}\n" in (ROOT / "docs/operating.md").read_text("utf-8")
