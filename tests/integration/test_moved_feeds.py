"""A feed that is found in another place than before: what is not proven of it is to be had anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from fix_simulator import Play
from fix_store import Site, at, batch, finding, window
from switched import counted

from harvester.model import Discovered, Feed, Spans, Window
from harvester.platforms.mydevices import Adapter
from harvester.store import feeds, places
from harvester.store.feeds import DueFeed
from harvester.store.spans import from_multirange
from harvester.store.writer import Covers


async def found(site: Site, place: str | None, now: datetime) -> DueFeed:
    """The feed as it is due after a discovery that found it there."""
    await site.save(finding("one", feeds=[Feed("readings", "one", ("one",), place=place)]), now=now)
    [due] = await feeds.due(site.pool, site.lease.tenant_id, "readings", at(1000), 0)
    return due


async def pull(site: Site, since: float, until: float, settled_before: float) -> None:
    """A window of the feed, of which a part is not looked at again."""
    covers = Covers(at(settled_before), looked=True)
    feed_id = await site.feed_id("one")
    await site.write(batch(feed_id, span=window(since, until), covers=covers))


async def covered(site: Site) -> tuple[Spans, Spans]:
    """Pulled, and settled."""
    row = await site.coverage(await site.feed_id("one"))
    return from_multirange(row["pulled"]), from_multirange(row["settled"])


async def test_a_place_is_kept_and_a_new_one_tells_since_when(site: Site) -> None:
    told = []
    for number, place in enumerate([None, "/a/", "/a/", None, "/b/", "/b/", "/a/"]):
        due = await found(site, place, at(number))
        told.append((due.feed.place, due.kept_since))
    assert told == [
        (None, None),
        ("/a/", None),
        ("/a/", None),
        ("/a/", None),
        ("/b/", at(4)),
        ("/b/", at(4)),
        ("/a/", at(6)),
    ]


async def test_what_was_settled_before_it_was_last_found_at_its_place_stays(site: Site) -> None:
    await found(site, "/a/", at(0))
    await pull(site, 0, 60, settled_before=40)
    await places.about_to_ask(site.pool, site.lease)
    await found(site, "/a/", at(61))
    await pull(site, 60, 120, settled_before=100)
    await places.about_to_ask(site.pool, site.lease)
    assert (await found(site, "/b/", at(121))).missing == (window(40, 1000),)
    assert await covered(site) == ((window(0, 40),), (window(0, 40),))
    await places.about_to_ask(site.pool, site.lease)
    await found(site, "/c/", at(122))
    assert await covered(site) == ((window(0, 40),), (window(0, 40),)), "no move takes that"


@pytest.mark.parametrize("place", [None, "/a/"])
async def test_what_is_settled_while_an_answer_is_waited_for_is_not_proven_by_it(
    site: Site, place: str | None
) -> None:
    await found(site, "/a/", at(0))
    await places.about_to_ask(site.pool, site.lease)
    await pull(site, 0, 60, settled_before=40)
    await found(site, place, at(61))
    await found(site, "/b/", at(62))
    assert await covered(site) == ((), ())


async def test_an_answer_without_a_place_proves_nothing(site: Site) -> None:
    await found(site, "/a/", at(0))
    await pull(site, 0, 60, settled_before=40)
    await places.about_to_ask(site.pool, site.lease)
    await found(site, None, at(61))
    await found(site, "/b/", at(62))
    assert await covered(site) == ((), ())


async def test_what_was_had_before_its_place_was_known_was_had_there(site: Site) -> None:
    await found(site, None, at(0))
    await pull(site, 0, 60, settled_before=40)
    await found(site, "/a/", at(61))
    await found(site, "/b/", at(62))
    assert await covered(site) == ((window(0, 40),), (window(0, 40),))


async def test_of_two_accounts_that_were_asked_together_one_may_tell_of_the_move(
    site: Site,
) -> None:
    for order in ("/a/", "/b/"), ("/b/", "/a/"):
        await found(site, order[1], at(0))
        await pull(site, 0, 60, settled_before=0)
        await places.about_to_ask(site.pool, site.lease)
        for place in order:
            await found(site, place, at(61))
        assert await covered(site) == ((), ()), order


async def test_a_window_on_its_way_covers_nothing_from_before_the_move(site: Site) -> None:
    await found(site, "/a/", at(0))
    await found(site, "/b/", at(100))
    await pull(site, 50, 150, settled_before=120)
    assert await covered(site) == ((window(100, 150),), (window(100, 120),))


async def test_what_is_missing_before_an_instant_is_given_up_and_nothing_else(site: Site) -> None:
    feed_id = (await found(site, "/a/", at(0))).feed_id
    other = await site.feed("two")
    lost = [await feeds.gone(site.pool, site.lease, feed_id, at(end)) for end in (50, 40)]
    assert lost == [at(50) - at(0), timedelta()]
    told = [from_multirange((await site.coverage(each))["lost"]) for each in (feed_id, other)]
    assert told == [(Window(at(0), at(50)),), ()]


async def test_what_is_pulled_again_after_a_move_is_not_taken_for_fresh(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, honest = ["/a/"], Adapter.discover

    async def discover(*asked: Any) -> AsyncIterator[Discovered]:
        async for each in honest(*asked):
            placed = [replace(feed, place=place[0]) for feed in each.feeds]
            yield replace(each, feeds=tuple(placed))

    monkeypatch.setattr(Adapter, "discover", discover)
    assert await play.tick()
    before = counted("store_groups", tenant="acme", path="fell_back")
    place[0] = "/b/"
    play.clock.advance(timedelta(hours=1))
    assert await play.tick()
    assert await play.held() == play.published()
    assert counted("store_groups", tenant="acme", path="fell_back") == before
    lost = await play.house.pool.fetchval(
        "select count(*) from harvester.coverage where stream = 'readings' and not isempty(lost)"
    )
    assert lost, "else nothing was pulled again"
