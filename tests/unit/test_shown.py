"""How values look on their way out: to people, as JSON, as CSV."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from asyncpg import Range

from harvester import shown

INSTANT = datetime(2026, 3, 4, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "-"),
        (timedelta(seconds=-2), "0"),
        (timedelta(), "0"),
        (timedelta(milliseconds=1), "1 s"),
        (timedelta(seconds=99), "99 s"),
        (timedelta(seconds=170), "3 m"),
        (timedelta(hours=5), "5 h"),
        (timedelta(hours=49.5), "50 h"),
        (timedelta(hours=99.5), "5 d"),
        (timedelta(days=12), "12 d"),
    ],
)
def test_a_duration_is_short_and_only_nothing_is_0(value: timedelta | None, words: str) -> None:
    assert shown.duration(value) == words


def test_only_all_of_it_is_100_percent() -> None:
    whole = timedelta(days=100)
    assert shown.share(whole, whole) == "100 %"
    assert shown.share(whole - timedelta(seconds=1), whole) == "99.9 %"
    assert shown.share(timedelta(), whole) == "0 %"
    assert shown.share(timedelta(), timedelta()) == "-"


def test_a_name_cannot_move_the_cursor() -> None:
    assert shown.cell("a\x1b[2Jb\nc") == "a\ufffd[2Jb\ufffdc"
    assert shown.cell(INSTANT) == "2026-03-04 10:00:00Z"
    assert shown.cell(None) == ""


def test_json_has_instants_with_zone_intervals_as_seconds_and_ranges_as_text() -> None:
    row = {
        "at": INSTANT,
        "for ever": datetime.max,  # noqa: DTZ901  as asyncpg has it
        "lasts": timedelta(minutes=1.5),
        "spans": [Range(INSTANT, None)],
        "mean": Decimal("1.5"),
        "odd": float("nan"),
        "none": None,
    }
    assert json.loads(shown.as_json(row)) == {
        "at": "2026-03-04T10:00:00+00:00",
        "for ever": "infinity",
        "lasts": 90.0,
        "spans": ["[2026-03-04T10:00:00+00:00,)"],
        "mean": 1.5,
        "odd": "nan",
        "none": None,
    }


def test_csv_is_read_again_as_it_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[shown.Row] = [
        {"a": 'x, "y"\nz', "b": None, "c": ["f", "g"]},
        {"a": INSTANT, "b": timedelta(seconds=2), "c": True},
        {"a": "x\ry", "b": "z\r\n", "c": "\r"},
    ]
    shown.write_csv(["a", "b", "c"], rows)
    written = capsys.readouterr().out
    assert written.startswith("a,b,c\n")
    read = list(csv.reader(io.StringIO(written, newline="")))
    assert read == [
        ["a", "b", "c"],
        ['x, "y"\nz', "", '["f", "g"]'],
        ["2026-03-04T10:00:00+00:00", "2.0", "true"],
        ["x\ry", "z\r\n", "\r"],
    ]


def test_no_rows_are_an_empty_array(capsys: pytest.CaptureFixture[str]) -> None:
    shown.write_json([])
    assert json.loads(capsys.readouterr().out) == []
