"""An instant on the command line: with its zone, or so long ago."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import typer

from harvester.cli.given import instant

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-03-04T09:00:00Z", NOW - timedelta(hours=1)),
        ("2026-03-04T10:00:00+01:00", NOW - timedelta(hours=1)),
        ("1h", NOW - timedelta(hours=1)),
        ("1d12h", NOW - timedelta(days=1.5)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_an_instant_has_a_zone_or_counts_back_from_now(text: str, meant: datetime) -> None:
    assert instant(text, "--since", NOW) == meant


@pytest.mark.parametrize("text", ["2026-03-04", "2026-03-04T10:00:00"])
def test_an_instant_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="names no zone"):
        instant(text, "--since", NOW)


BEFORE_ALL_YEARS, AFTER_ALL_YEARS = "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"


@pytest.mark.parametrize(
    "text", ["", "soon", "24", "2026-02-30T10:00:00Z", BEFORE_ALL_YEARS, AFTER_ALL_YEARS]
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no instant"):
        instant(text, "--since", NOW)
