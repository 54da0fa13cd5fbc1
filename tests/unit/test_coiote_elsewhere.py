"""Coiote: what is remembered of a device that was seen in another domain."""

import pytest

from harvester.errors import Forbidden
from harvester.platforms.coiote.devices import Seen
from harvester.platforms.coiote.moves import Moves

HOME, AWAY, DEPOT = "/acme/home/", "/acme/away/", "/acme/depot/"


def at(domain: str | None) -> Seen:
    return Seen("a", domain=domain)


def is_refused(moves: Moves, domain: str | None, place: str | None) -> bool:
    try:
        moves.check(at(domain), place)
    except Forbidden:
        return True
    return False


@pytest.mark.parametrize("place", [HOME, None])
def test_a_device_that_stays_where_it_was_found_is_asked(place: str | None) -> None:
    moves = Moves()
    assert not is_refused(moves, HOME, place) and not is_refused(moves, None, place)
    assert moves.place_of(at(HOME)) == HOME and moves.place_of(at(None)) is None


def test_one_that_came_back_is_not_asked_until_it_was_found_elsewhere() -> None:
    moves = Moves()
    assert is_refused(moves, AWAY, HOME)
    assert is_refused(moves, HOME, HOME), "its history is not the one of before"
    assert moves.place_of(at(HOME)) == AWAY
    assert is_refused(moves, HOME, AWAY), "it is known now, and to be found at home"
    assert moves.place_of(at(HOME)) == HOME
    assert not is_refused(moves, HOME, HOME)


def test_one_that_went_on_is_found_where_it_is() -> None:
    moves = Moves()
    assert is_refused(moves, AWAY, HOME)
    assert moves.place_of(at(DEPOT)) == DEPOT
    assert not is_refused(moves, DEPOT, DEPOT)
    assert moves.place_of(at(DEPOT)) == DEPOT
