"""Which windows of a feed are due: pure functions of its coverage and `now`.

A span is pulled when it is fresh, and looked at again at fixed ages, for what arrived late. Between
two ticks the spans that came of an age A are `[looked_at - A, now - A)`; so nothing is remembered
of a look but the instant of the last one. The last look settles, so it is due for whatever is of
its age and not settled: no lost memory and no changed setting leaves time provisional for ever.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice

from harvester.model import BEGINNING, Spans, Window

MOST_MISSING = 1_000
"""Windows of missing time in a plan: a feed wanted for decades is planned a part at a time."""
_SHORTEST_HALF = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Rules:
    """How the feeds of a stream are pulled. `looks` are ages, `longest` the most asked for at once.

    `retention` is how long the platform can answer for a span; None: for good. `whole`: each
    answer is all that the platform has, whatever was asked, and nothing is looked at again.
    `oldest_first`: of two values of one instant the one that was told last holds, and it may lie
    anywhere on the axis. So what lies before the live edge is pulled in its order.
    """

    looks: tuple[timedelta, ...]
    longest: timedelta
    retention: timedelta | None = None
    whole: bool = False
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The windows due, in the order to pull them; no two of them overlap.

    `looks` are spans pulled before, oldest first. `missing` were never pulled, the newest first, so
    that the live edge does not wait for a backfill. `whole`: nothing more is missing than that.
    """

    looks: tuple[Window, ...]
    missing: tuple[Window, ...]
    whole: bool


def plan(
    missing: Spans, provisional: Spans, looked_at: datetime | None, now: datetime, rules: Rules
) -> Plan:
    """What is due at `now`. `missing` ends at or before `now`; `provisional` is pulled time that
    is not settled.
    """
    if rules.whole:
        return Plan(looks=(), missing=_whole(missing, now, rules), whole=True)
    looks = intersection(_of_age(looked_at, now, rules), provisional)
    found = list(islice(_ordered(missing, rules), MOST_MISSING + 1))
    return Plan(
        looks=tuple(reversed(list(_split(reversed(looks), rules.longest)))),
        missing=tuple(found[:MOST_MISSING]),
        whole=len(found) <= MOST_MISSING,
    )


def settled_before(now: datetime, rules: Rules) -> datetime:
    """What a window pulled at `now` holds before this instant is never looked at again."""
    return now - max(rules.looks, default=timedelta(0))


def still_kept(
    window: Window, answered_by: datetime, rules: Rules, kept_since: datetime = BEGINNING
) -> Window | None:
    """What of a window an answer given at `answered_by` or before could still tell of.

    `kept_since` is when the feed's history began anew.
    """
    kept = answered_by - rules.retention if rules.retention is not None else BEGINNING
    since = max(window.since, kept, kept_since)
    return Window(since, window.until) if since < window.until else None


def halves(window: Window) -> tuple[Window, Window] | None:
    """The window in two, cut at a whole millisecond; None where it is too short to be cut."""
    middle = window.since + (window.until - window.since) / 2
    cut = middle.replace(microsecond=middle.microsecond // 1000 * 1000)
    if cut - window.since < _SHORTEST_HALF or window.until - cut < _SHORTEST_HALF:
        return None
    return Window(window.since, cut), Window(cut, window.until)


def union(spans: Sequence[Window]) -> Spans:
    """Sorted and merged; spans that touch become one."""
    merged: list[Window] = []
    for span in sorted(spans):
        if merged and span.since <= merged[-1].until:
            merged[-1] = Window(merged[-1].since, max(merged[-1].until, span.until))
        else:
            merged.append(span)
    return tuple(merged)


def intersection(these: Spans, those: Spans) -> Spans:
    """What lies in both."""
    found: list[Window] = []
    i = j = 0
    while i < len(these) and j < len(those):
        since = max(these[i].since, those[j].since)
        until = min(these[i].until, those[j].until)
        if since < until:
            found.append(Window(since, until))
        if these[i].until < those[j].until:
            i += 1
        else:
            j += 1
    return tuple(found)


def _whole(missing: Spans, now: datetime, rules: Rules) -> tuple[Window, ...]:
    """One window for all that is kept. What is not kept for good is asked for even where nothing
    seems missing: after its clock was set back, a platform goes on forgetting."""
    if rules.retention is not None:
        return (Window(now - rules.retention, now),)
    return (Window(missing[0].since, now),) if missing else ()


def _of_age(looked_at: datetime | None, now: datetime, rules: Rules) -> Spans:
    spans = [Window(BEGINNING, settled_before(now, rules))]
    # A clock that was set back makes nothing come of age.
    if looked_at is not None and looked_at < now:
        spans += [Window(looked_at - age, now - age) for age in rules.looks]
    return union(spans)


def _ordered(missing: Spans, rules: Rules) -> Iterator[Window]:
    """Newest first; or only the live edge so, and then what lies before it from its beginning."""
    newest_first = _split(reversed(missing), rules.longest)
    if not rules.oldest_first:
        return newest_first
    edge = list(islice(newest_first, 1))
    return chain(edge, reversed(list(newest_first)))


def _split(newest_first: Iterable[Window], longest: timedelta) -> Iterator[Window]:
    """Windows of the longest at most, newest first."""
    for span in newest_first:
        if span.since == BEGINNING:
            raise ValueError("a span without a beginning cannot be pulled")
        until = span.until
        while until > span.since:
            since = max(until - longest, span.since)
            yield Window(since, until)
            until = since
