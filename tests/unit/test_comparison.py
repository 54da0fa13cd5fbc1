"""The demo's judgement of what the database holds: what is a difference, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from harvester.demo.comparison import Asked, Comparison, Facts, Key
from harvester.model import Window

T0 = datetime(2026, 3, 4, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EDGE = T0 + 9 * MINUTE
PULLED = Asked(pulled=(Window(T0 + 3 * MINUTE, T0 + 8 * MINUTE),), missing=())


def key(minute: int, device: str = "probe") -> Key:
    return ("acme", device, "temp", T0 + minute * MINUTE)


def readings(*minutes: int) -> Facts:
    return {key(minute): 20.0 + minute for minute in minutes}


def compared(held: Facts, asked: Asked | None = PULLED, published: Facts | None = None) -> str:
    told = readings(1, 2, 5, 9) if published is None else published
    devices = {} if asked is None else {("acme", "probe"): asked}
    comparison = Comparison(told, told, held, devices, EDGE)
    verdict = comparison.sentence(T0, T0 + 10 * MINUTE)
    assert len(comparison.differences) == (int(verdict.split()[-2]) if "differ" in verdict else 0)
    return verdict.removeprefix(
        "4 readings published from 2026-03-04 10:00:00Z to 2026-03-04 10:10:00Z, "
    )


def test_what_was_forgotten_before_it_was_asked_for_is_no_difference_and_is_told() -> None:
    told = compared(readings(5, 9))
    assert told == "2 in the database, 2 forgotten before they were asked for: equal."


def test_what_was_asked_for_and_is_not_there_differs() -> None:
    assert compared(readings(1, 2, 9)) == "3 in the database: 1 differ."


@pytest.mark.parametrize(
    ("since", "told"),
    [
        (8, "3 in the database, 1 not asked for yet: equal."),
        (4, "2 in the database, 1 not asked for yet: 1 differ."),
    ],
)
def test_what_is_still_missing_is_excused_at_the_live_edge_alone(since: int, told: str) -> None:
    asked = Asked(pulled=(), missing=(Window(T0 + since * MINUTE, T0 + 10 * MINUTE),))
    held = readings(1, 2, 5) if since == 8 else readings(1, 2)
    assert compared(held, asked) == told


def test_a_device_of_which_nothing_was_asked_excuses_nothing() -> None:
    assert compared({}, asked=None) == "0 in the database: 4 differ."


def test_what_is_held_otherwise_or_was_never_published_differs() -> None:
    other = {**readings(1, 2, 9), key(5): -1.0, key(6): 26.0, key(7, "stranger"): 27.0}
    assert compared(other) == "4 in the database: 3 differ."


def test_what_was_corrected_or_taken_back_meanwhile_is_none() -> None:
    before, after = readings(4, 5, 6), {key(5): 25.0, key(6): 36.0}
    for held in ({key(5): 25.0, key(6): 36.0}, {key(5): 25.0, key(6): 26.0}):
        assert Comparison(before, after, held).differences == []
    [told] = Comparison(before, after, {key(6): 26.0}).differences
    assert told == (
        "acme probe channel temp at 2026-03-04 10:05:00.000Z: published [25.0, 25.0], held None"
    )
