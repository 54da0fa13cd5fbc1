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
from acceptance.commands import harvester
from acceptance.daemon import Daemon, running
from acceptance.prometheus import MONITORING, Labels, Prometheus, scraping
from fix_postgres import Database
from fix_simulator import configured_for
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
NOT_REFUSED = {
    *("unreachable", "throttled", "server_failed", "malformed", "request_refused"),
    *("answer_lost", "unauthorized_after_refresh", "password_budget"),
    *("seal_broken", "spill_unreadable"),
}
"""Why there is no token, where the account is not left alone."""
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
        path = await configured_for(fake, tmp_path, database, interval="1s")
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
    password = "--password-file", config_file.parent / user
    ended = await harvester("login", "acme", user, *password, config=config_file)
    assert ended.code == 0, ended.said


async def until(ask: Callable[[], Awaitable[T]], enough: Callable[[T], bool]) -> T:
    """Ask until it is so; what was answered then."""
    while not enough(answer := await ask()):
        await asyncio.sleep(0.2)
    return answer


def test_each_reason_is_either_a_refusal_or_tried_again() -> None:
    known = {*metrics.TOKEN_REASONS, *auth.REASONS}
    for platform in names():
        known.update(adapter(platform).token_reasons)
    assert known >= NOT_REFUSED
    [reasons] = re.findall(r'reason=~"(.*?)"', RULES)
    assert set(reasons.split("|")) == NOT_REFUSED


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
