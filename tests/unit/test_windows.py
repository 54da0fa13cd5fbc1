"""The windows of a feed, against a naive model: time in whole minutes, spans as sets of minutes.

A minute's age is that of its end, so a minute is of an age when all of it is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings, strategies as st

from harvester.model import BEGINNING, Spans, Window
from harvester.windows import (
    MOST_MISSING,
    Plan,
    Rules,
    halves,
    intersection,
    plan,
    settled_before,
    union,
)

START = datetime(2026, 2, 28, 23, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MILLISECOND = timedelta(milliseconds=1)
MICROSECOND = timedelta(microseconds=1)
HOURLY = Rules(looks=(timedelta(hours=1), timedelta(hours=6)), longest=timedelta(hours=2))


def at(minute: int) -> datetime:
    return START + minute * MINUTE


def window(since: int, until: int) -> Window:
    return Window(at(since), at(until))


def hours(since: float, until: float) -> Window:
    return window(round(since * 60), round(until * 60))


def spans(minutes: set[int]) -> Spans:
    """The canonical spans of a set, found by looking at each of its minutes alone."""
    firsts = sorted(minute for minute in minutes if minute - 1 not in minutes)
    lasts = sorted(minute for minute in minutes if minute + 1 not in minutes)
    return tuple(window(first, last + 1) for first, last in zip(firsts, lasts, strict=True))


def minutes_of(windows: Iterable[Window]) -> list[int]:
    """Every minute of every window; a minute in two of them comes twice."""
    return [minute for each in windows for minute in _minutes(each)]


def _minutes(each: Window) -> Iterator[int]:
    since, until = (each.since - START) / MINUTE, (each.until - START) / MINUTE
    assert since.is_integer() and until.is_integer()
    yield from range(int(since), int(until))


@dataclass
class Feed:
    """A feed as the corridor pulls it, which remembers what it owes to each single minute."""

    rules: Rules
    wanted: set[int]
    pulled: Spans = ()
    settled: Spans = ()
    looked_at: int | None = None
    served: dict[int, int] = field(default_factory=dict)
    """The latest instant at which a minute was pulled."""
    owed: set[tuple[int, int]] = field(default_factory=set)
    """(minute, age): pulled before it was of this age, and not pulled since it is."""
    old: set[int] = field(default_factory=set)
    """Pulled when it was of the greatest age."""

    def tick(self, now: int, failing: set[int]) -> None:
        missing = {minute for minute in self.wanted if minute < now} - self.served.keys()
        looked_at = None if self.looked_at is None else at(self.looked_at)
        provisional = spans(self.served.keys() - self.old)
        due = plan(spans(missing), provisional, looked_at, at(now), self.rules)
        self.check(due, missing, now)
        windows = [*due.looks, *due.missing]
        done = [each for number, each in enumerate(windows) if number not in failing]
        for each in done:
            self.commit(each, now)
        assert self.pulled == spans(set(self.served))
        assert self.settled == spans(self.old)
        if done and done[: len(due.looks)] == list(due.looks):
            self.looked_at = now
        elif done and self.looked_at is not None:
            self.looked_at = min(self.looked_at, now)

    def check(self, due: Plan, missing: set[int], now: int) -> None:
        """The plan is what the minutes ask for, each by itself."""
        looked = minutes_of(due.looks)
        owed = {minute for minute, age in self.owed if now - (minute + 1) >= age}
        assert owed <= set(looked) <= self.served.keys() - self.old
        again = [self.served[minute] for minute in set(looked) - owed]
        assert all(self.looked_at is not None and self.looked_at < served for served in again)
        assert sorted(minutes_of(due.missing)) == sorted(missing)
        assert len(looked) == len(set(looked)), "no two windows overlap"
        assert list(due.looks) == sorted(due.looks)
        assert list(due.missing) == sorted(due.missing, reverse=True)
        longest = max((each.until - each.since for each in due.looks + due.missing), default=MINUTE)
        assert longest <= self.rules.longest

    def commit(self, each: Window, now: int) -> None:
        ages = [look // MINUTE for look in self.rules.looks]
        for minute in _minutes(each):
            reached = {age for age in ages if now - (minute + 1) >= age}
            self.owed -= {(minute, age) for age in reached}
            if minute not in self.served:
                self.owed |= {(minute, age) for age in ages if age not in reached}
            if now - (minute + 1) >= max(ages, default=0):
                self.old.add(minute)
            self.served[minute] = max(self.served.get(minute, now), now)
        self.pulled = union([*self.pulled, each])
        old = Window(BEGINNING, settled_before(at(now), self.rules))
        self.settled = union([*self.settled, *intersection((each,), (old,))])


@dataclass(frozen=True)
class Step:
    """What happens before a tick and in it; a backfill is a span of minutes before it."""

    advance: int
    failing: frozenset[int] = frozenset()
    backfill: tuple[int, int] = (0, 0)


LATER = 15 * 40 + 1
"""Than any tick of fifteen steps."""
BACKFILLS = st.just((0, 0)) | st.tuples(st.integers(0, 100), st.integers(1, 60))
GOOD_STEPS = st.builds(Step, st.integers(0, 40), backfill=BACKFILLS)
STEPS = st.builds(
    Step, st.integers(-20, 40), st.frozensets(st.integers(0, 6), max_size=3), BACKFILLS
)
RULES = st.builds(
    Rules,
    looks=st.lists(
        st.integers(1, 60).map(timedelta(minutes=1).__mul__), min_size=1, max_size=3
    ).map(tuple),
    longest=st.integers(1, 45).map(timedelta(minutes=1).__mul__),
)
SETS = st.sets(st.integers(0, 60))
WINDOWS = st.builds(
    lambda since, length: window(since, since + length), st.integers(0, 60), st.integers(1, 20)
)


def live(rules: Rules, steps: list[Step], feed_begins: int) -> Feed:
    """Ticks from minute 0 on; feeds may begin long before their first tick, or long after."""
    feed = Feed(rules, wanted=set(range(feed_begins, LATER)))
    now = 0
    for step in steps:
        now += step.advance
        ago, length = step.backfill
        feed.wanted |= set(range(now - ago - length, now - ago))
        feed.tick(now, set(step.failing))
    return feed


@settings(deadline=None)
@given(RULES, st.lists(GOOD_STEPS, min_size=2, max_size=15), st.integers(-100, 100))
def test_while_all_succeeds_each_minute_is_pulled_once_and_once_at_each_age(
    rules: Rules, steps: list[Step], feed_begins: int
) -> None:
    feed = live(rules, steps, feed_begins)
    now = sum(step.advance for step in steps)
    assert all(now - (minute + 1) < age for minute, age in feed.owed)
    assert set(feed.served) == {minute for minute in feed.wanted if minute < now}


@settings(deadline=None)
@given(RULES, st.lists(STEPS, min_size=2, max_size=15), st.integers(-100, 100))
def test_whatever_fails_and_however_the_clock_jumps_all_old_time_is_settled_in_the_end(
    rules: Rules, steps: list[Step], feed_begins: int
) -> None:
    feed = live(rules, steps, feed_begins)
    feed.tick(LATER, failing=set())
    greatest = max(rules.looks, default=timedelta(0)) // MINUTE
    assert feed.settled == spans({minute for minute in feed.wanted if minute < LATER - greatest})
    assert feed.pulled == spans({minute for minute in feed.wanted if minute < LATER})


def test_a_new_feed_is_pulled_newest_first_in_windows_of_the_longest_at_most() -> None:
    due = plan((hours(0, 5), hours(7, 8)), (), None, at(8 * 60), HOURLY)
    assert due == Plan((), (hours(7, 8), hours(3, 5), hours(1, 3), hours(0, 1)), whole=True)


def test_between_two_ticks_what_came_of_an_age_is_looked_at_oldest_first() -> None:
    due = plan((hours(9.5, 10),), (hours(3.5, 9.5),), at(570), at(600), HOURLY)
    assert due == Plan((hours(3.5, 4), hours(8.5, 9)), (hours(9.5, 10),), whole=True)


def test_after_a_long_outage_spans_that_came_of_several_ages_are_looked_at_once() -> None:
    due = plan((), (hours(4, 10),), at(10 * 60), at(20 * 60), HOURLY)
    assert due.looks == (hours(4, 6), hours(6, 8), hours(8, 10))


def test_only_what_is_provisional_is_looked_at() -> None:
    due = plan((), (hours(3.5, 3.6), hours(3.8, 8)), at(570), at(600), HOURLY)
    assert due.looks == (hours(3.5, 3.6), hours(3.8, 4))


@pytest.mark.parametrize("looked_at", [None, at(600), at(601)])
def test_what_is_past_the_last_age_is_looked_at_whatever_is_remembered_of_looks(
    looked_at: datetime | None,
) -> None:
    assert plan((), (hours(1, 9),), looked_at, at(600), HOURLY).looks == (
        hours(1, 2),
        hours(2, 4),
    )


def test_without_looks_whatever_is_pulled_is_settled_at_once() -> None:
    never = Rules(looks=(), longest=timedelta(hours=1))
    assert settled_before(START, never) == START
    left = plan((), (hours(8, 9),), at(570), at(600), never).looks
    assert left == (hours(8, 9),), "what other rules left provisional is looked at once more"


def test_a_feed_that_is_wanted_for_decades_is_planned_a_part_at_a_time() -> None:
    due = plan((hours(0, 24 * 365 * 20),), (), None, at(60 * 24 * 365 * 20), HOURLY)
    assert len(due.missing) == MOST_MISSING
    assert not due.whole
    assert due.missing[0].until == at(60 * 24 * 365 * 20)


def test_time_without_a_beginning_is_refused_instead_of_pulled_for_ever() -> None:
    with pytest.raises(ValueError, match="without a beginning"):
        plan((Window(BEGINNING, START),), (), None, START, HOURLY)


@given(st.lists(WINDOWS, max_size=8))
def test_a_union_is_that_of_sets_however_its_windows_lie(windows: list[Window]) -> None:
    assert union(windows) == spans(set(minutes_of(windows)))


@given(SETS, SETS)
def test_an_intersection_is_that_of_sets(these: set[int], those: set[int]) -> None:
    assert intersection(spans(these), spans(those)) == spans(these & those)


@example(timedelta(0), 1999 * MICROSECOND)
@given(
    st.integers(0, 5000).map(MICROSECOND.__mul__), st.integers(1, 10_000).map(MICROSECOND.__mul__)
)
def test_halves_meet_near_the_middle_at_a_whole_millisecond(
    offset: timedelta, length: timedelta
) -> None:
    whole = Window(START + offset, START + offset + length)
    parts = halves(whole)
    if parts is None:
        assert length < 4 * MILLISECOND
        return
    first, second = parts
    assert (first.since, first.until, second.until) == (whole.since, second.since, whole.until)
    assert first.until.microsecond % 1000 == 0
    lengths = (first.until - first.since, second.until - second.since)
    assert min(lengths) >= MILLISECOND
    assert abs(lengths[0] - lengths[1]) <= 2 * MILLISECOND


@pytest.mark.parametrize("milliseconds", [2, 3, 4, 1000, 86_400_000 + 1])
def test_a_window_of_whole_milliseconds_can_be_cut_down_to_one(milliseconds: int) -> None:
    whole = Window(START, START + milliseconds * MILLISECOND)
    cuts = 0
    while parts := halves(whole):
        whole = parts[cuts % 2]
        cuts += 1
    assert whole.until - whole.since == MILLISECOND
    assert cuts <= milliseconds.bit_length()


def test_behind_the_live_edge_the_oldest_goes_first_where_what_was_told_last_holds() -> None:
    ordered = replace(HOURLY, oldest_first=True)
    due = plan((hours(0, 3), hours(4, 9)), (), None, at(9 * 60), ordered)
    assert due.missing == (hours(7, 9), hours(0, 1), hours(1, 3), hours(4, 5), hours(5, 7))
    assert due.whole


@given(st.sets(st.integers(0, 600)))
def test_in_whatever_order_the_same_windows_are_due(minutes: set[int]) -> None:
    newest, oldest = (
        plan(spans(minutes), (), None, at(601), replace(HOURLY, oldest_first=first)).missing
        for first in (False, True)
    )
    assert sorted(newest) == sorted(oldest)
    assert list(oldest[1:]) == sorted(oldest[1:])
    assert oldest[:1] == newest[:1]
