"""What a query hits at the fake Usergrid, which compares no two types with each other."""

from datetime import timedelta

import pytest
from simulated_usergrid import NOW, Play, playing

from harvester.simulator.usergrid_quirks import Switches
from harvester.simulator.world import millis

AT_ONCE = Switches(index_lag=(timedelta(0), timedelta(0)))
ROWS: tuple[dict[str, object], ...] = (
    {"t": 21},
    {"t": 21.5},
    {"t": "21"},
    {"t": True},
    {"T": 22},
    {"s": {"v": {"supply": 23}}},
    {"word": "Störung im Keller"},
    {"word": "50%41"},
    {"list": [1, 2], "word": "it's a+b"},
)


async def told(play: Play) -> str:
    """A token, once the rows are there; `n` is the number of a row."""
    play.put(*({"n": number} | row for number, row in enumerate(ROWS)))
    return await play.login()


@pytest.mark.parametrize(
    ("ql", "rows"),
    [
        ("select * where t > 20", [0, 4]),
        ("where t > 20.0", [1]),
        ("t >= '20'", [2]),
        ("T = TRUE", [3]),
        ("t > 20 and t < 22", [0]),
        ("s.v.supply gte 23", [5]),
        ("word = 'STÖRUNG im keller'", [6]),
        ("word = 'stö*'", [6]),
        ("word contains 'keller'", [6]),
        ("word contains 'kel*'", [6]),
        ("word = '50%2541'", [7]),
        ("word = '50%41'", []),
        (r"word = 'it\'s a+b'", [8]),
        ("list = 2", [8]),
        ("nobody > 0", []),
        ("not n < 7", [7, 8]),
        ("n = 1 or n = 0 && t = 22", [1]),
        ("(n = 1 or n = 0) and t = 21", [0]),
        ("n  gt   5  and not (n eq 7 || n lte 6)", [8]),
        (f"created >= {millis(NOW) - 2} and created < {millis(NOW) - 1}", [7]),
        (f"created > {millis(NOW) - 3} and modified <= {millis(NOW) - 2} and n > 0", [7]),
        (f"created = {millis(NOW) - 1} or n = 3", [3, 8]),
        ("created > 9 and created < 3", []),
    ],
)
async def test_a_query_hits_what_is_of_the_literals_type(ql: str, rows: list[int]) -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await told(play)
        assert sorted(await play.numbers("readings", bearer, ql=ql)) == rows
        assert play.fake.violations == []


async def test_an_instant_in_quotes_is_a_text_and_hits_nothing() -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await told(play)
        assert await play.numbers("readings", bearer, ql="created >= '1000'") == []
        assert await play.numbers("readings", bearer, ql="created >= 1000.0") == []
        assert len(await play.numbers("readings", bearer, ql="created >= 1000")) == len(ROWS)
        assert play.fake.violations == [
            "created was compared with '1000'",
            "created was compared with 1000.0",
        ]


@pytest.mark.parametrize("name", ["ql", "q", "query"])
async def test_a_query_has_three_names(name: str) -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await told(play)
        assert await play.numbers("readings", bearer, **{name: "n = 3"}) == [3]


@pytest.mark.parametrize(
    ("order", "rows"),
    [
        ("order by created", [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("ORDER BY created DESC", [8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ("order by t asc", [1, 0, 4, 2, 3, 5, 6, 7, 8]),
        ("order by t desc, n desc", [1, 4, 0, 2, 3, 8, 7, 6, 5]),
        ("n >= 0", [8, 7, 6, 5, 4, 3, 2, 1, 0]),
    ],
)
async def test_rows_come_in_order_by_one_type_after_another(order: str, rows: list[int]) -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await told(play)
        assert await play.numbers("readings", bearer, ql=order, limit=100) == rows


async def test_what_comes_after_the_end_of_a_query_is_not_read() -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await told(play)
        ql = "select * where n > 6 order  by created asc"
        assert await play.numbers("readings", bearer, ql=ql) == [8, 7]
        assert play.fake.violations == ["a query goes on after its end: order  by created asc"]


@pytest.mark.parametrize(
    ("ql", "code"),
    [
        ("n != 1", "query_token"),
        ('n = "one"', "query_token"),
        ("n =", "query_parse"),
        ("n == 1", "query_parse"),
        ("n = one", "query_parse"),
        ("select * where", "query_parse"),
        ("(n = 1", "query_parse"),
        ("n = 1 and", "query_parse"),
        ("not = 1", "query_parse"),
        ("n contains 1", "query_parse"),
        ("select * order by", "query_parse"),
    ],
)
async def test_a_query_that_cannot_be_read_is_refused(ql: str, code: str) -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await told(play)
        path = "/acme/plant7/readings"
        status, body = await play.send("GET", path, bearer, params={"ql": ql})
        assert (status, body["error"]) == (400, code)


async def test_a_projection_is_a_list_without_a_cursor() -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await told(play)
        page = await play.read("readings", bearer, ql="select n, s.v.supply where n > 4", limit=2)
        assert page["list"] == [[8, None], [7, None]]
        assert {"entities", "cursor"}.isdisjoint(page)
        page = await play.read("readings", bearer, ql="select {number: n, volts: s.v.supply} n = 5")
        assert page["list"] == [{"number": 5, "volts": 23}]
