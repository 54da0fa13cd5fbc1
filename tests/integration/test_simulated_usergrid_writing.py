"""The fake Usergrid takes in what others write, and says no where the platform would."""

from typing import Any
from uuid import UUID

import pytest
from simulated_usergrid import Play, playing

from harvester.simulator.usergrid_quirks import Switches
from harvester.simulator.usergrid_tokens import time_uuid

ROOT = "/acme/plant7"
OLDER = Switches(server="2.1.0")
FEW: dict[str, Any] = {"things": 0}


async def written(play: Play, method: str, path: str, told: object = None) -> list[Any]:
    """The entities that the answer holds, which must be a good one."""
    status, body = await play.send(method, f"{ROOT}/{path}", await play.login(), json=told)
    assert (status, body["action"], body["path"]) == (200, method.lower(), f"/{path}")
    rows: list[Any] = body["entities"]
    return rows


async def refused(play: Play, method: str, path: str, **more: Any) -> tuple[int, str]:
    status, body = await play.send(method, f"{ROOT}/{path}", await play.login(), **more)
    return status, body["error"]


async def test_an_entity_gets_its_times_and_its_uuid_from_the_server() -> None:
    async with playing(**FEW) as play:
        own = {"uuid": str(time_uuid(5, 5)), "type": "cat", "created": 7, "modified": 7}
        told = {"t": 21.5, "nothing": None, "timestamp": 0, "metadata": {"path": "/x"}}
        [row] = await written(play, "POST", "reading", own | told)
        now = play.fake.tokens.now_ms()
        assert (row["type"], row["created"], row["modified"]) == ("reading", now, now)
        assert UUID(row["uuid"]).version == 1 and row["uuid"] != own["uuid"]
        assert (row["t"], row["timestamp"]) == (21.5, now) and "nothing" not in row
        assert row["metadata"]["path"] == f"/readings/{row['uuid']}"
        assert (await play.read(f"readings/{row['uuid']}", await play.login()))["entities"] == [row]
        found = play.fake.store("acme").find("readings", row["uuid"])
        assert found and set(found.now.properties) == {"t", "timestamp"}
        [later] = await written(play, "POST", "readings", {"timestamp": 12})
        assert later["timestamp"] == 12


async def test_a_batch_has_one_millisecond_and_leaves_out_what_is_refused() -> None:
    async with playing(**FEW) as play:
        batch = [{"name": "a", "n": 1}, {"name": "A", "n": 2}, {}, "text", {"n": 3}]
        rows = await written(play, "POST", "readings", batch)
        assert [row["n"] for row in rows] == [1, 3]
        assert {row["created"] for row in rows} == {play.fake.tokens.now_ms()}
        assert await play.numbers("readings", await play.login()) == [3, 1]
        assert await written(play, "POST", "readings", {}) == []
        assert await written(play, "POST", "readings") == []


async def test_a_name_is_of_one_entity_in_any_case_until_that_is_deleted() -> None:
    async with playing(**FEW) as play:
        await written(play, "POST", "readings", {"name": "Pump-3"})
        asked: dict[str, Any] = {"json": {"name": "pump-3"}}
        why = await refused(play, "POST", "readings", **asked)
        assert why == (400, "duplicate_unique_property_exists")
        await written(play, "POST", "meters", asked["json"])
        [gone] = await written(play, "DELETE", "readings/PUMP-3")
        assert (gone["name"], await refused(play, "GET", "readings/pump-3")) == (
            "Pump-3",
            (404, "entity_not_found"),
        )
        assert await refused(play, "DELETE", "readings/pump-3") == (
            404,
            "service_resource_not_found",
        )
        await written(play, "POST", "readings", asked["json"])


@pytest.mark.parametrize(("switches", "newest"), [(Switches(), [1, 2]), (OLDER, [2, 1])])
async def test_a_put_changes_what_it_names_and_moves_the_entity_on_newer_servers(
    switches: Switches, newest: list[int]
) -> None:
    async with playing(switches, **FEW) as play:
        [first, _] = await written(play, "POST", "readings", [{"n": 1, "t": 4, "x": 5}, {"n": 2}])
        play.later(3)
        change = {"t": 7, "x": None, "y": True, "created": 1, "modified": 1, "uuid": "no"}
        [row] = await written(play, "PUT", f"readings/{first['uuid']}", change)
        assert (row["n"], row["t"], row["y"], "x" in row) == (1, 7, True, False)
        assert (row["uuid"], row["created"]) == (first["uuid"], first["created"])
        assert row["modified"] == first["modified"] + 3000 == play.fake.tokens.now_ms()
        assert await play.numbers("readings", await play.login()) == newest


async def test_a_put_brings_what_is_not_there_with_its_own_uuid_times_or_name() -> None:
    async with playing(**FEW) as play:
        uuids = [str(time_uuid(1_700_000_000_000, number)) for number in range(2)]
        own = {"created": 1_600_000_000_000, "modified": 1_650_000_000_000}
        [timed] = await written(play, "PUT", f"readings/{uuids[0]}", {"n": 1} | own)
        assert (timed["uuid"], timed["created"], timed["modified"]) == (uuids[0], *own.values())
        [bare] = await written(play, "PUT", f"readings/{uuids[1]}", {"n": 2})
        assert (bare["created"], bare["modified"]) == (1_700_000_000_000,) * 2
        [named] = await written(play, "PUT", "readings/pump", {"n": 3})
        assert (named["name"], named["created"]) == ("pump", play.fake.tokens.now_ms())
        # Whatever they say of their times, the last that came is the newest.
        assert await play.numbers("readings", await play.login()) == [3, 2, 1]
        assert await refused(play, "PUT", f"meters/{uuids[0]}", json={"n": 4}) == (
            404,
            "service_resource_not_found",
        )


async def test_entities_are_connected_with_old_ones_and_new_ones() -> None:
    async with playing(**FEW) as play:
        bearer = await play.login()
        await written(play, "POST", "pumps", {"name": "p"})
        [old] = await written(play, "POST", "readings", {"name": "old", "n": 1})
        [again] = await written(play, "POST", "pumps/p/sends/readings/old")
        assert again["uuid"] == old["uuid"]
        await written(play, "POST", "pumps/p/sends/readings", {"n": 2})
        [third] = await written(play, "POST", "readings", {"n": 3})
        await written(play, "POST", f"pumps/p/sends/{third['uuid']}")
        assert await play.numbers("pumps/p/sends/readings", bearer) == [3, 2, 1]
        await written(play, "DELETE", "pumps/p/sends/reading/old")
        assert await play.numbers("pumps/p/sends", bearer) == [3, 2]
        assert await play.numbers("readings", bearer) == [3, 2, 1]
        why = (404, "service_resource_not_found")
        for path in ("pumps/q/sends/readings/old", "pumps/p/sends/readings/new", "pumps/p/sends"):
            assert await refused(play, "POST", path) == why
        assert await refused(play, "DELETE", f"pumps/p/sends/{time_uuid(1, 1)}") == why


async def test_nonsense_is_refused_by_a_code_and_nothing_is_written() -> None:
    async with playing(**FEW) as play:
        for text in ("{", "7", '"text"'):
            assert await refused(play, "POST", "readings", data=text) == (400, "json_parse")
        play.put({"name": "there", "n": 0})
        for method, path in (
            ("PUT", "readings"),
            ("DELETE", "readings"),
            ("PATCH", "readings/there"),
        ):
            why = await refused(play, method, path, json={"n": 1})
            assert why == (404, "service_resource_not_found")
        status, body = await play.send("POST", f"{ROOT}/readings", json={"n": 1})
        assert (status, body["error"]) == (401, "unauthorized")
        elsewhere = await play.send("POST", "/acme/no/readings", await play.login(), json={"n": 1})
        assert elsewhere[1]["error"] == "organization_application_not_found"
        assert await play.numbers("readings", await play.login()) == [0]
    async with playing(Switches(guarded=True), **FEW) as play:
        why = await refused(play, "POST", "readings", json={"n": 1})
        assert why == (401, "unauthorized")


async def test_json_is_taken_as_such_whatever_its_type_is_said_to_be() -> None:
    async with playing(**FEW) as play:
        bearer = await play.login()
        for number, kind in enumerate(("text/plain", "application/x-www-form-urlencoded", "")):
            more = {"data": f'{{"n": {number}}}', "headers": {"Content-Type": kind}}
            assert (await play.send("POST", f"{ROOT}/readings//", bearer, **more))[0] == 200
        assert await play.numbers("readings", bearer) == [2, 1, 0]
