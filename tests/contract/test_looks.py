"""What comes late, is corrected, or shares its instant: looked at again, it is as it is true."""

from datetime import timedelta

from brought import busiest, facts, goes_by_arrival, held, is_in, of, pulled, told
from fix_platforms import HISTORY, NOW, SINCE, Facts, Stage

from harvester import platforms
from harvester.model import Window

PLATFORMS = platforms.names()
HOUR, MILLISECOND = timedelta(hours=1), timedelta(milliseconds=1)


def late_and_corrected(before: Facts, after: Facts) -> tuple[int, int]:
    """How many of either there are of what was measured before NOW."""
    late = sum(key[2] < NOW for key in after.keys() - before.keys())
    return late, sum(after[key] != value for key, value in before.items())


async def test_what_came_late_or_was_corrected_is_brought_by_another_look(
    unsettled: Stage,
) -> None:
    feeds = (await unsettled.feeds()).values()
    before = held(*[await pulled(unsettled, *each, HISTORY) for each in feeds])
    assert before == unsettled.truth
    unsettled.clock.advance(9 * HOUR)
    now, truth = unsettled.clock.now(), unsettled.truth
    assert min(late_and_corrected(before, truth)) > 5
    look, new = Window(SINCE, NOW - HOUR), Window(NOW - HOUR, now)
    looked = held(*[await pulled(unsettled, *each, look) for each in feeds])
    if not goes_by_arrival(unsettled.platform):
        assert looked == {key: value for key, value in truth.items() if is_in(look, key[2])}
    pulled_now = held(*[await pulled(unsettled, *each, new) for each in feeds])
    assert held(before, looked, pulled_now) == truth


async def test_of_what_shares_its_instant_the_same_holds_in_whatever_order_it_comes(
    unsettled: Stage,
) -> None:
    feed, api = await busiest(unsettled)
    said, truth = await told(unsettled, feed, api, HISTORY), of(feed, unsettled.truth)
    values: dict[tuple[str, object], set[object]] = {}
    for each in said:
        values.setdefault((each.channel, each.instant), set()).add(str(each.value))
    ties = [at for (_, at), different in values.items() if len(different) > 1]
    assert len(ties) > 5
    assert facts(unsettled, said) == facts(unsettled, reversed(said)) == truth
