"""Feeds that are answered whole, of platforms that forget: what is covered was told, what could no
longer be told is given up, and nothing is neither."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, strategies as st

from harvester.model import Window
from harvester.windows import Rules, plan, still_kept

START = datetime(2026, 3, 4, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
KEPT = 120
FORGETTING = Rules(looks=(), longest=timedelta(days=1), retention=KEPT * SECOND, whole=True)
KEEPING = Rules(looks=(), longest=timedelta(days=1), whole=True)


def at(second: float) -> datetime:
    return START + second * SECOND


def window(since: float, until: float) -> Window:
    return Window(at(since), at(until))


@dataclass
class Poller:
    """A feed as the corridor polls it, and the seconds of which it knows what came in them."""

    pulled: set[int] = field(default_factory=set)
    told: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)

    def tick(self, now: int, took: int, answered: bool) -> int:
        """Poll at `now`, with an answer `took` seconds later; when it is over."""
        self.lost |= {each for each in range(now - KEPT) if each not in self.pulled}
        [asked] = plan((), (), None, at(now), FORGETTING).missing
        if answered:
            answer = now + took
            self.told |= set(range(max(0, answer - KEPT), now))
            if kept := still_kept(asked, at(answer), FORGETTING):
                since, until = ((each - START) // SECOND for each in (kept.since, kept.until))
                self.pulled |= set(range(max(0, since), until))
        return now + took


@given(
    st.lists(
        st.tuples(st.integers(1, 200), st.integers(0, 150), st.booleans()), min_size=1, max_size=12
    )
)
@example([(40, 0, True), (300, 119, True), (1, 0, True)])
def test_a_second_is_covered_if_it_was_told_and_lost_if_it_never_can_be(
    polls: list[tuple[int, int, bool]],
) -> None:
    poller, now = Poller(), 0
    for pause, took, answered in polls:
        now = poller.tick(now + pause, took, answered)
    poller.tick(now, 0, False)
    assert poller.pulled <= poller.told, "nothing is covered that no answer told of"
    assert poller.told - poller.pulled == set(), "nor lost that one did"
    assert set(range(max(0, now - KEPT))) == poller.pulled - set(range(now - KEPT, now)) | (
        poller.lost
    )
    assert not poller.pulled & poller.lost


def test_what_is_kept_for_good_is_asked_for_while_something_is_missing() -> None:
    missing = (window(10, 20), window(50, 60))
    assert plan(missing, (), None, at(60), KEEPING).missing == (window(10, 60),)
    assert plan((), (), None, at(60), KEEPING).missing == ()


def test_what_a_platform_forgets_is_asked_for_each_time_even_if_nothing_seems_missing() -> None:
    assert plan((), (), None, at(500), FORGETTING).missing == (window(380, 500),)


def test_nothing_that_is_answered_whole_is_looked_at_again() -> None:
    provisional = (window(0, 500),)
    assert plan((), provisional, at(1), at(9_000), FORGETTING).looks == ()


@pytest.mark.parametrize(
    ("answered_by", "kept"), [(500, (380, 500)), (560, (440, 500)), (619, (499, 500)), (620, None)]
)
def test_a_late_answer_tells_of_less(answered_by: int, kept: tuple[int, int] | None) -> None:
    told = still_kept(window(380, 500), at(answered_by), FORGETTING)
    assert told == (window(*kept) if kept else None)


def test_an_answer_of_what_is_kept_for_good_is_never_too_late() -> None:
    assert still_kept(window(0, 5), at(10**8), KEEPING) == window(0, 5)
