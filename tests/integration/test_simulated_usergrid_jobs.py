"""The people of an organization import and export at the fake Usergrid."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from simulated_usergrid import MANAGEMENT, Play, playing

from harvester.simulator.usergrid_logins import organization_client
from harvester.simulator.usergrid_quirks import Switches

IMPORTS = "/management/orgs/acme/apps/plant7/imports"
UNKNOWN = f"{IMPORTS}/{UUID(int=7)}"
EXPORT = "/management/organizations/acme/export"
OLDER = Switches(server="2.1.0")
HOUR = 3600.0
STORAGE = {"bucket_location": "b", "s3_access_id": "i", "s3_key": "k"}
WISH = {"properties": {"storage_provider": "s3", "storage_info": STORAGE}}


async def organized(play: Play) -> str:
    """A token of the organization's client."""
    client = organization_client(play.acme)
    return str((await play.client(client, MANAGEMENT))[1]["access_token"])


async def begun(play: Play, bearer: str, count: int) -> list[str]:
    """The UUIDs of so many imports, just begun."""
    told = [await play.send("POST", IMPORTS, bearer, json=WISH) for _ in range(count)]
    assert {body["entities"][0]["state"] for _, body in told} == {"SCHEDULED"}
    return [body["entities"][0]["uuid"] for _, body in told]


async def files_of(play: Play, bearer: str, uuid: str) -> list[Any]:
    """Page by page, none of more than ten."""
    where, params, found = f"{IMPORTS}/{uuid}/files", {"limit": "1000"}, []
    while True:
        _, page = await play.send("GET", where, bearer, params=params)
        assert len(page["entities"]) <= 10
        found += page["entities"]
        if "cursor" not in page:
            return found
        params = {"cursor": page["cursor"]}


async def test_an_import_can_be_asked_for_and_the_list_of_them_fails() -> None:
    async with playing(OLDER, things=0) as play:
        bearer = await organized(play)
        [uuid] = await begun(play, bearer, 1)
        play.later(2)
        _, body = await play.send("GET", f"{IMPORTS}/{uuid}", bearer)
        assert [(row["uuid"], row["state"]) for row in body["entities"]] == [(uuid, "STARTED")]
        status, body = await play.send("GET", IMPORTS, bearer)
        assert (status, body["error"]) == (500, "runtime")


async def test_an_import_is_over_with_all_its_files_and_modified_never_moves() -> None:
    async with playing(OLDER, things=0) as play:
        bearer = await organized(play)
        uuids = await begun(play, bearer, 12)
        play.later(HOUR)
        true, ends = play.fake.task_truth("acme"), set()
        for uuid in uuids:
            _, body = await play.send("GET", f"{IMPORTS}/{uuid}", bearer)
            [row] = body["entities"]
            files = await files_of(play, bearer, uuid)
            assert len(files) == row["fileCount"] and row["modified"] == row["created"]
            task = true[f"imports/{uuid}"]
            assert [each.state for each in task.history] == ["SCHEDULED", "STARTED", row["state"]]
            own = ("uuid", "type", "created", "modified")
            assert task.now.result == [
                {name: said for name, said in file.items() if name not in own} for file in files
            ]
            ends.add((row["state"], row["fileCount"]))
        assert {state for state, _ in ends} == {"FINISHED", "FAILED"}
        assert {count for _, count in ends} == {0, 1, 12}


async def test_imports_are_for_the_organization_and_for_servers_that_have_them() -> None:
    async with playing(OLDER, things=0) as play:
        for bearer in (await play.login(), ""):
            status, body = await play.send("GET", UNKNOWN, bearer)
            assert (status, body["error"]) == (401, "unauthorized")
        admin = await play.login(MANAGEMENT)
        assert (await play.send("GET", UNKNOWN, admin))[0] == 500
        status, body = await play.send("POST", IMPORTS, admin, json={"properties": {}})
        assert (status, body["error"]) == (400, "null_argument")
    async with playing() as play:
        assert (await play.send("GET", UNKNOWN, await organized(play)))[0] == 404


async def test_an_export_can_be_asked_for_and_there_is_no_list_of_them() -> None:
    async with playing(OLDER, things=0) as play:
        bearer = await organized(play)
        status, body = await play.send("POST", EXPORT, bearer, json=WISH)
        assert (status, list(body)) == (202, ["Export Entity"])
        [uuid] = body.values()
        assert (await play.send("GET", f"{EXPORT}/{uuid}", bearer))[1]["state"] == "SCHEDULED"
        play.later(HOUR)
        _, entity = await play.send("GET", f"{EXPORT}/{uuid}", bearer)
        assert (entity["uuid"], entity["type"]) == (uuid, "export")
        assert entity["state"] in ("FINISHED", "FAILED") and entity["started"]
        assert (await play.send("GET", EXPORT, bearer))[0] == 404
        headers = {"Authorization": f"Bearer {bearer}"}
        unknown = f"{play.fake.url}{EXPORT}/{UUID(int=7)}"
        async with play.http.get(unknown, headers=headers) as answer:
            assert (answer.status, await answer.text()) == (400, "")
        async with play.http.post(play.fake.url + EXPORT, headers=headers, json={}) as answer:
            assert (answer.status, "properties" in await answer.text()) == (400, True)
        [(identity, task)] = play.fake.task_truth("acme").items()
        assert (identity, task.kind, task.device) == (f"exports/{uuid}", "export", None)
        states = [each.state for each in task.history]
        assert (states, task.now.result) == (["SCHEDULED", "STARTED", entity["state"]], None)
