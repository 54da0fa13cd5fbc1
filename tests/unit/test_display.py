"""The demo's picture of a tenant in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

from rich.console import Console

from harvester.demo.display import drawn, told
from harvester.demo.figures import Line, Picture
from harvester.store.streams import Standing

DAY = timedelta(days=1)


def standing(tenant: str) -> Standing:
    wanted = 100 * DAY
    return Standing(
        tenant=tenant,
        platform="mydevices",
        stream="readings",
        devices=10,
        feeds=8,
        failing=0,
        unseen=0,
        pulled_until=datetime(2026, 3, 4, 10, tzinfo=UTC),
        lag=timedelta(seconds=0.4),
        wanted=wanted,
        pulled=wanted - timedelta(hours=25),
        settled=98 * DAY,
        missing=timedelta(hours=1),
        lost=timedelta(hours=24),
        succeeded_at=None,
    )


def test_what_is_almost_there_is_not_told_as_there() -> None:
    assert told(Line(standing("acme"), accounts=3, last_hour=1234)) == (
        "acme: 3 accounts, 10 devices, lag 1 s, 98.9 % pulled (98 % settled, 0.9 % provisional, "
        "1 % lost), 1,234 readings in the last hour"
    )


def test_the_table_of_tenants_fits_a_terminal_of_eighty_columns() -> None:
    line = Line(standing("acme-devicehive"), accounts=3, last_hour=1234)
    console = Console(width=80, file=StringIO())
    with console.capture() as capture:
        console.print(drawn(Picture([line], [])))
    head, row = capture.get().strip().splitlines()[:2]
    assert head.split()[:2] == ["tenant", "accounts"] and head.rstrip().endswith("last hour")
    assert row.split()[0] == "acme-devicehive" and row.rstrip().endswith("1,234")
