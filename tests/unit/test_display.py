"""The demo's picture of a tenant in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from harvester.demo.display import told
from harvester.demo.figures import Line
from harvester.store.streams import Standing

DAY = timedelta(days=1)


def test_what_is_almost_there_is_not_told_as_there() -> None:
    wanted = 100 * DAY
    standing = Standing(
        tenant="acme",
        platform="mydevices",
        stream="readings",
        devices=10,
        feeds=8,
        failing=0,
        unseen=0,
        pulled_until=datetime(2026, 3, 4, 10, tzinfo=UTC),
        lag=timedelta(seconds=0.4),
        wanted=wanted,
        pulled=wanted - timedelta(hours=1),
        settled=98 * DAY,
        missing=timedelta(hours=1),
        lost=timedelta(),
        succeeded_at=None,
    )
    assert told(Line(standing, accounts=3, last_hour=1234)) == (
        "acme: 3 accounts, 10 devices, lag 1 s, 99.9 % pulled (98 % settled, 1.9 % provisional), "
        "1,234 readings in the last hour"
    )
