"""What the fake Usergrid tells without a query: by edges, the one written last at the head."""

from datetime import timedelta
from typing import Any

import pytest
from simulated_usergrid import Play, playing

from harvester.simulator.usergrid_quirks import Switches

LONG_AGO = 1_600_000_000_000


def numbers(page: Any) -> list[int]:
    return [row["n"] for row in page["entities"]]


async def test_what_was_written_last_is_the_first_whenever_it_was_created() -> None:
    async with playing(things=0) as play:
        bearer = await play.login()
        play.put(0, 1, apart=1000)
        uuid = "1b4e28ba-2fa1-11ee-b9d1-0242ac120002"  # of 2023
        play.put({"n": 2}, uuid=uuid.upper())
        play.put({"n": 3}, uuid="00000000-0000-4000-8000-000000000000", created=LONG_AGO)
        page = await play.read("readings", bearer)
        assert numbers(page) == [3, 2, 1, 0]
        assert [row["created"] for row in page["entities"][:2]] == [LONG_AGO, 1690807948941]
        assert page["entities"][1]["uuid"] == uuid


@pytest.mark.parametrize(("server", "order"), [("2.2", [0, 2, 1]), ("2.1.0", [2, 1, 0])])
async def test_newer_servers_put_what_is_updated_at_the_head(server: Any, order: list[int]) -> None:
    async with playing(Switches(server=server), things=0) as play:
        bearer = await play.login()
        first, second, _ = play.put(0, 1, 2, apart=1000)
        store, now = play.fake.store("acme"), play.fake.tokens.now_ms()
        store.update(first, {"more": 1}, now)
        assert await play.numbers("readings", bearer, limit=2) == order
        store.update(second, {"more": 1}, now, modified=now)  # the server's own way
        store.update(second, {"more": None}, now, modified=second.created)
        page = await play.read("readings", bearer)
        assert numbers(page) == order
        (row,) = (row for row in page["entities"] if row["n"] == 1)
        assert ("more" in row, row["modified"]) == (False, row["created"])


async def test_a_cursor_stands_still_while_rows_come_in_and_go() -> None:
    async with playing(things=0) as play:
        bearer = await play.login()
        rows = play.put(*range(8), apart=1000)
        page = await play.read("readings", bearer, limit=3)
        assert numbers(page) == [7, 6, 5]
        store, now = play.fake.store("acme"), play.fake.tokens.now_ms()
        store.delete(rows[5], now)
        store.delete(rows[6], now)
        play.put(8, 9)
        page = await play.read("readings", bearer, limit=3, cursor=page["cursor"])
        assert numbers(page) == [4, 3, 2]
        store.update(rows[2], {"more": 1}, now)  # which moves it to the head
        page = await play.read("readings", bearer, limit=3, cursor=page["cursor"])
        assert numbers(page) == [1, 0]


async def test_a_cursor_of_a_page_of_one_begins_anew_where_a_row_came_in() -> None:
    async with playing(things=0) as play:
        bearer = await play.login()
        play.put(0, 1, apart=1000)
        page = await play.read("readings", bearer, limit=1)
        again = await play.read("readings", bearer, limit=1, cursor=page["cursor"])
        assert numbers(again) == [0]
        play.put(2)
        again = await play.read("readings", bearer, limit=1, cursor=page["cursor"])
        assert numbers(again) == [2]


async def connected(play: Play, count: int) -> str:
    """So many samples of the gateway, of which every other is of another type; its UUID."""
    store, now = play.fake.store("acme"), play.fake.tokens.now_ms()
    device = store.find("devices", play.acme.things[0].uuid)
    assert device is not None
    for number in range(count):
        kind = "samples" if number % 2 else "notes"
        row = store.put(kind, {"n": number, "name": f"{kind} {number}"}, now + number)
        store.connect(device, "Sends", row, now + number)
    return device.uuid


async def test_a_connection_has_pages_of_a_thousand_and_maybe_one_type() -> None:
    async with playing(Switches(index_lag=(timedelta(0), timedelta(0))), things=0) as play:
        bearer = await play.login()
        uuid = await connected(play, 30)
        path = f"devices/{uuid}/sends"
        page = await play.read(path, bearer)
        assert (numbers(page), "cursor" in page) == ([*range(29, -1, -1)], False)
        assert await play.numbers(f"{path}/samples", bearer, limit=4) == [*range(29, 0, -2)]
        play.later(1)
        assert await play.numbers(f"{path}/sample", bearer, ql="n > 26") == [29, 27]
        name = play.acme.things[0].name
        page = await play.read(f"devices/{name.upper()}/SENDS/samples/samples 3", bearer)
        (row,) = page["entities"]
        assert row["metadata"]["path"] == f"/devices/{uuid}/sends/{row['uuid']}"
        connecting = {"sends": f"/samples/{row['uuid']}/connecting/sends"}
        assert (row["n"], row["metadata"]["connecting"]) == (3, connecting)


async def test_what_is_connected_anew_is_at_the_head_and_what_is_not_any_more_is_gone() -> None:
    async with playing(things=0) as play:
        bearer = await play.login()
        uuid = await connected(play, 4)
        store, now = play.fake.store("acme"), play.fake.tokens.now_ms()
        device = store.find("devices", uuid)
        first, second = (store.find("notes", f"notes {number}") for number in (0, 2))
        assert device and first and second
        store.connect(device, "sends", first, now + 10)
        store.disconnect(device, "sends", second, now + 10)
        assert await play.numbers(f"devices/{uuid}/sends", bearer) == [0, 3, 1]
        play.later(60)
        assert await play.numbers(f"devices/{uuid}/sends", bearer, ql="n >= 0") == [0, 3, 1]
        store.delete(device, now)
        status, _ = await play.send("GET", f"/acme/plant7/devices/{uuid}/sends", bearer)
        assert status == 404
