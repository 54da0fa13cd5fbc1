"""Pages of the fake Usergrid: how long they are, what is said with them, and what cursors miss."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from simulated_usergrid import Play, playing

from harvester.simulator.usergrid_entities import Entity
from harvester.simulator.usergrid_quirks import Switches

AT_ONCE = Switches(index_lag=(timedelta(0), timedelta(0)))
OLDEST_FIRST = "select * where created > 0 order by created"


def numbers(page: Any) -> list[int]:
    return [row["n"] for row in page["entities"]]


def gone(play: Play, rows: Sequence[Entity]) -> None:
    for row in rows:
        play.fake.store("acme").delete(row, play.fake.tokens.now_ms())


async def paged(play: Play, bearer: str, page: Any, **params: object) -> list[int]:
    """The numbers of all pages after that one."""
    told: list[int] = []
    while cursor := page.get("cursor"):
        page = await play.read("readings", bearer, cursor=cursor, **params)
        told += numbers(page)
    return told


LIMITS = {"0": 10, "-3": 10, "ten": 10, "": 10, "7": 7, "1000": 1000, "5000": 1000}


@pytest.mark.parametrize("query", [{}, {"ql": OLDEST_FIRST}])
async def test_a_page_has_ten_rows_unless_it_is_told_and_never_above_a_thousand(
    query: dict[str, str],
) -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await play.login()
        play.put(*range(1001))
        assert len((await play.read("readings", bearer, **query))["entities"]) == 10
        for limit, length in LIMITS.items():
            page = await play.read("readings", bearer, limit=limit, **query)
            assert (page["count"], len(page["entities"])) == (length, length)
        assert play.fake.violations == ["more than 1000 rows were asked for at once"]


@pytest.mark.parametrize("query", [{}, {"ql": OLDEST_FIRST}])
async def test_a_full_page_has_a_cursor_even_if_nothing_comes_after_it(
    query: dict[str, str],
) -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await play.login()
        play.put(*range(6))
        page = await play.read("readings", bearer, limit=3, **query)
        assert page["cursor"].startswith("OikK")
        page = await play.read("readings", bearer, limit=3, cursor=page["cursor"], **query)
        last = await play.read("readings", bearer, limit=3, cursor=page["cursor"], **query)
        assert (last["entities"], last["count"], "cursor" in last) == ([], 0, False)
        assert "cursor" not in await play.read("readings", bearer, limit=7, **query)
        assert play.fake.violations == []


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_what_comes_in_before_an_offset_tells_rows_again_and_is_missed(count: int) -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await play.login()
        play.put(*range(12), apart=1000)
        page = await play.read("readings", bearer, limit=6, ql=OLDEST_FIRST)
        for number in range(count):  # as by an import: of long ago
            uuid = f"00000000-0000-4000-8000-00000000000{number}"
            play.put({"n": 100 + number}, uuid=uuid, created=1, modified=1)
        rest = await paged(play, bearer, page, limit=6, ql=OLDEST_FIRST)
        assert rest == [*range(5 - count, 12)]


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_what_goes_before_an_offset_leaves_rows_out_all_but_one(count: int) -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await play.login()
        rows = play.put(*range(12), apart=1000)
        page = await play.read("readings", bearer, limit=6, ql=OLDEST_FIRST)
        gone(play, rows[:count])
        rest = await paged(play, bearer, page, limit=6, ql=OLDEST_FIRST)
        assert rest == [*range(5 + count, 12)]


async def test_rows_may_change_between_two_pages() -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await play.login()
        play.put(*range(6), apart=1000)
        met: list[Any] = []
        play.fake.between_pages = lambda rows: met.extend(row.now.properties["n"] for row in rows)
        assert await play.numbers("readings", bearer, limit=4) == [5, 4, 3, 2, 1, 0]
        play.fake.between_pages = lambda rows: gone(play, rows)
        assert await play.numbers("readings", bearer, limit=6) == met == [5, 4, 3, 2, 1, 0]
        assert await play.numbers("readings", bearer) == []


async def test_rows_of_one_instant_may_come_in_another_order_each_time() -> None:
    switches = Switches(index_lag=AT_ONCE.index_lag, ties="shaky")
    async with playing(switches, things=0) as play:
        bearer = await play.login()
        play.put(*range(8), apart=0)
        orders = {
            tuple(await play.numbers("readings", bearer, ql=OLDEST_FIRST, limit=100))
            for _ in range(5)
        }
        assert len(orders) > 1
        assert {tuple(sorted(order)) for order in orders} == {tuple(range(8))}


async def test_an_older_server_has_short_pages_with_more_after_them() -> None:
    async with playing(Switches(index_lag=AT_ONCE.index_lag, refills=False), things=0) as play:
        bearer = await play.login()
        rows = play.put(*range(9), apart=1000)
        play.fake.index_lag = (timedelta(hours=1), timedelta(hours=1))
        gone(play, rows[1:2])
        page = await play.read("readings", bearer, limit=4, ql=OLDEST_FIRST)
        assert (numbers(page), "cursor" in page) == ([0, 2, 3], True)
        assert await paged(play, bearer, page, limit=4, ql=OLDEST_FIRST) == [4, 5, 6, 7, 8]


@pytest.mark.parametrize("query", [{}, {"ql": OLDEST_FIRST}])
@pytest.mark.parametrize(
    ("cursor", "status", "code"),
    [
        ("OikK", 500, "cursor_parse"),
        ("OikKe30=", 500, "cursor_parse"),
        ("a", 400, "illegal_argument"),
        ("OikK" * 257, 400, "illegal_argument"),
    ],
)
async def test_a_bad_cursor_is_refused(
    query: dict[str, str], cursor: str, status: int, code: str
) -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await play.login()
        params = {"cursor": cursor, **query}
        told, body = await play.send("GET", "/acme/plant7/readings", bearer, params=params)
        assert (told, body["error"]) == (status, code)


async def test_a_cursor_is_good_for_what_it_was_given_with() -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await play.login()
        play.put(*range(9))
        page = await play.read("readings", bearer, limit=3, ql=OLDEST_FIRST)
        await play.read("readings", bearer, limit=3, ql="n > 1", cursor=page["cursor"])
        assert play.fake.violations == ["a cursor was sent with another query or limit"]
        await play.numbers("readings", bearer, ql="order by modified", limit=5)
        assert play.fake.violations[1:] == [
            "rows that move were paged: a cursor of a list by modified"
        ]


async def test_an_answer_says_what_was_asked_and_when() -> None:
    switches = Switches(index_lag=AT_ONCE.index_lag, clock_skew=timedelta(hours=-2))
    async with playing(switches, things=0) as play:
        bearer = await play.login()
        (row,) = play.put({"n": 1, "uuid": "mine", "metadata": 7, "type": "mine", "name": "Eins"})
        page = await play.read("reading/", bearer, limit=2, ql="n = 1", access_token=bearer)
        assert page["params"] == {"limit": ["2"], "ql": ["n = 1"]}
        assert page["timestamp"] == play.fake.tokens.now_ms() == row.created + 1
        assert (page["path"], page["action"], page["count"]) == ("/reading", "get", 1)
        (told,) = page["entities"]
        assert told.pop("metadata")["path"] == f"/readings/{row.uuid}"
        times = {"created": row.created, "modified": row.created}
        assert told == {"uuid": row.uuid, "type": "reading", "name": "Eins", "n": 1, **times}
        for which in (row.uuid, "eins", row.uuid.upper()):
            (again,) = (await play.read(f"readings//{which}/", bearer))["entities"]
            assert again["uuid"] == row.uuid


async def test_old_servers_tell_a_token_that_was_in_the_url() -> None:
    async with playing(Switches(echoes_tokens=True), things=0) as play:
        bearer = await play.login()
        page = await play.read("readings", "", access_token=bearer)
        assert page["params"] == {"access_token": [bearer]}


async def test_what_is_not_there_is_told_in_different_ways() -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await play.login()
        page = await play.read("nothing", bearer, ql="n = 1")
        assert (page["entities"], page["count"]) == ([], 0)
        gateway = play.acme.things[0].uuid
        page = await play.read(f"devices/{gateway}/sends/samples", bearer)
        assert (page["entities"], "count" in page) == ([], False)
        missing = "00000000-0000-4000-8000-000000000000"
        for path, code in (
            (f"devices/{missing}/sends/samples", "entity_not_found"),
            ("devices/nobody", "entity_not_found"),
            (f"devices/{gateway}/sends/{missing}", "service_resource_not_found"),
            ("devices/a/b/c/d/e", "service_resource_not_found"),
        ):
            status, body = await play.send("GET", f"/acme/plant7/{path}", bearer)
            assert (status, body["error"]) == (404, code)


async def test_rows_are_for_those_who_have_the_right_to_them() -> None:
    async with playing(Switches(guarded=True), things=0) as play:
        user, path = await play.login(), "/acme/plant7/readings"
        assert await play.why_not(user, path) == "unauthorized"
        assert await play.why_not("", path) == "unauthorized"
        assert await play.why_not(await play.login("/management/token"), path) == ""
        assert await play.why_not(user, "/globex/plant7/readings") == "unauthorized"


async def test_an_answer_may_be_compressed() -> None:
    async with playing(Switches(gzips=True), things=0) as play:
        bearer = await play.login()
        play.put(*range(20))
        url = f"{play.fake.url}/acme/plant7/readings"
        headers = {"Authorization": f"Bearer {bearer}"}
        async with play.http.get(url, headers=headers) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert (await answer.json())["count"] == 10
