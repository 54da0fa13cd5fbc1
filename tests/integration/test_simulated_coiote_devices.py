"""The fake Coiote's devices, by id, one by one, and in pages."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from simulated_coiote import DEVICES, NOW, REALM, Play, playing

from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.coiote_rights import DETAILS
from harvester.simulator.coiote_shapes import stamp
from harvester.simulator.curves import DAY_MS
from harvester.simulator.world import millis

FIELDS = "id,domain,friendlyName,lastContactTime,properties.endpointName"
ALL = Switches(permissions="all")


async def paged(play: Play, access: str, limit: int) -> list[Any]:
    """All devices, page after page."""
    found: list[Any] = []
    params = {"fieldSelection": FIELDS, "limit": str(limit)}
    while True:
        page = await play.told(access, DETAILS, **params)
        found += page["devices"]
        if page.get("nextPageBookmark") is None:
            return found
        params["pageBookmark"] = page["nextPageBookmark"]


async def test_users_may_have_ids_and_single_devices_and_no_pages() -> None:
    async with playing() as play:
        access = await play.token()
        ids = await play.told(access, "devices")
        seen = {thing.uuid for thing in play.tenant.things if play.ana.name in thing.seen_by}
        assert set(ids) == seen and len(ids) < len(play.tenant.things)
        for identifier in ids:
            assert (await play.told(access, f"devices/{identifier}"))["id"] == identifier
        assert await play.get(access, DETAILS) == (403, {"message": "Forbidden", "code": 4030})
        others = next(thing for thing in play.tenant.things if thing.uuid not in seen)
        assert (await play.get(access, f"devices/{others.uuid}"))[1]["code"] == 4040
        assert (await play.get(access, "devices/none"))[0] == 404


@pytest.mark.parametrize("limit", [1, 3, 10, 1000])
async def test_pages_of_any_length_bring_every_device_once(limit: int) -> None:
    async with playing(ALL) as play:
        found = await paged(play, await play.service(), limit)
        names = [each["friendlyName"] for each in found]
        assert sorted(names) == sorted(thing.name for thing in play.tenant.things)
        mine = await paged(play, await play.token(), limit)
        assert [each["id"] for each in mine] == sorted(
            await play.told(await play.token(), "devices")
        )
    async with playing(Switches(device_cap=3)) as play:
        access = await play.service()
        page = await play.told(access, DETAILS, fieldSelection=FIELDS, limit=str(limit))
        assert len(page["devices"]) == min(limit, 3)
        assert len(await paged(play, access, limit)) == len(found)


async def test_no_more_is_told_than_the_fields_that_were_asked_for() -> None:
    async with playing() as play:
        access = await play.service()
        page = await play.told(access, DETAILS, fieldSelection=FIELDS)
        for each in page["devices"]:
            assert each.keys() == {name.partition(".")[0] for name in FIELDS.split(",")}
            assert each["properties"].keys() == {"endpointName"}
            assert each["domain"].startswith("/acme/")
        assert play.fake.violations == []
        (whole, *_) = (await play.told(access, DETAILS))["devices"]
        assert whole["dtlsPsk"] == {"HexadecimalPsk": play.fake.site.devices[whole["id"]].psk}
        await play.told(access, DETAILS, fieldSelection="id,dtlsPsk")
        assert play.fake.violations == ["the keys of devices (dtlsPsk) asked for"] * 2


async def test_a_device_by_itself_comes_whole_with_its_key() -> None:
    async with playing() as play:
        device = play.device("Freezer")
        told = await play.told(await play.service(), f"devices/{device.id}")
        assert told["dtlsPsk"] == {"HexadecimalPsk": device.psk} and device.psk not in repr(device)
        assert (told["description"], told["serialNumber"][-1]) == (None, "\n")
        properties = told["properties"]
        assert (
            properties["registeredObjects"] == "/1/0,/3,/3/0,/4/0,/3300/0,/3303/0,/3303/1,/3316/0"
        )
        assert "3303:1.1" in properties["objectVersions"].split(",")
        contact = datetime.fromtimestamp(int(properties["lwm2mLastUpOpTime"]) / 1000, NOW.tzinfo)
        assert contact == datetime.fromisoformat(told["lastContactTime"])
        assert properties["lastRegisterUpdate"] == "2026-03-03 10:30:00.000"
        assert properties["registeredQueueMode"] in ("true", "false")
    async with playing(Switches(nulls="absent")) as play:
        told = await play.told(await play.service(), f"devices/{device.id}")
        assert None not in told.values() and "description" not in told


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ("friendlyName eq 'Freezer 1'", 1),
        ("friendlyName startswith 'Cold room'", 2),
        ("properties.endpointName startswith 'urn:imei:'", 10),
        ("properties.endpointName eq 'urn:imei:'", 0),
        ("managementEnabled eq true", 10),
        ("id startswith ''", 10),
    ],
)
async def test_devices_are_searched_by_one_condition(criteria: str, found: int) -> None:
    async with playing() as play:
        access = await play.service()
        assert len(await play.told(access, "devices", searchCriteria=criteria)) == found
        told = await play.told(access, DETAILS, fieldSelection="id", searchCriteria=criteria)
        assert len(told["devices"]) == found


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": "1001"},
        {"limit": "-1"},
        {"limit": "many"},
        {"pageBookmark": "?"},
        {"searchCriteria": "id like 'a'"},
        {"searchCriteria": "secret eq 'a'"},
        {"searchCriteria": "id eq 'a' and id eq 'b'"},
    ],
)
async def test_a_question_out_of_shape_is_refused(asked: dict[str, str]) -> None:
    async with playing() as play:
        status, body = await play.get(await play.service(), DETAILS, fieldSelection="id", **asked)
        assert (status, body["code"]) == (400, 4000)


@pytest.mark.parametrize(("ids", "example"), [("base64", "RnJlZXplciAx"), ("urn", "urn:imei:")])
async def test_ids_may_be_hashed_or_names(ids: Any, example: str) -> None:
    async with playing(Switches(ids=ids)) as play:
        access = await play.service()
        told = await play.told(access, "devices")
        assert any(each.startswith(example) for each in told)
        for each in told:
            one = await play.told(access, f"devices/{quote(each, safe='')}")
            assert one["id"] == each
        assert {key[0] for key in play.fake.truth("acme")} <= set(told)


async def test_a_contact_is_when_something_came_in_last_and_late_words_count() -> None:
    async with playing() as play:
        device, today = play.device("Cold room"), millis(NOW) // DAY_MS
        for _ in range(8):
            play.clock.advance(timedelta(minutes=50))
            days = (play.fake.world.uplinks(device.thing, today - n) for n in range(3))
            came = [it.published_ms for day in days for up in day for it in up.versions]
            access = await play.service()
            told = await play.told(access, f"devices/{device.id}")
            last_ms = max(ms for ms in came if ms <= millis(play.clock.now()))
            assert told["lastContactTime"] == stamp(last_ms)
        dead = next(each for each in play.fake.site.of("acme") if not each.thing.active)
        assert (await play.told(access, f"devices/{dead.id}"))["lastContactTime"] is None


async def test_a_device_that_is_deleted_or_moved_away_is_seen_no_more() -> None:
    async with playing() as play:
        mine, globex = await play.service(), play.fake.world.tenants["globex"].admin_client
        moved, deleted = play.device("Freezer"), play.device("Door")
        play.fake.move(moved.id, "/globex/depot/")
        play.fake.delete(deleted.id)
        left = await play.told(mine, "devices")
        assert {moved.id, deleted.id}.isdisjoint(left) and len(left) == 8
        assert (await play.get(mine, f"devices/{moved.id}"))[1]["code"] == 4040
        form = {"client_id": globex.id, "client_secret": globex.secret}
        form["grant_type"] = "client_credentials"
        _, body = await play.post(form, REALM.format("globex"))
        assert moved.id in await play.told(body["access_token"], "devices")


async def test_a_user_is_throttled_for_the_rest_of_a_minute() -> None:
    async with playing(Switches(requests_per_minute=3)) as play:
        access, other = await play.token(), await play.service()
        play.clock.advance(timedelta(seconds=20))
        statuses = [(await play.get(access, "devices"))[0] for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        assert (await play.get(other, "devices"))[0] == 200
        headers = {"Authorization": f"Bearer {access}"}
        async with play.http.get(play.fake.url + DEVICES, headers=headers) as it:
            assert it.headers["Retry-After"] == "40"
        play.clock.advance(timedelta(seconds=40))
        assert (await play.get(access, "devices"))[0] == 200


async def test_a_throttle_may_not_say_until_when() -> None:
    async with playing(Switches(requests_per_minute=1, retry_after=False)) as play:
        access = await play.token()
        assert await play.status(access) == 200
        headers = {"Authorization": f"Bearer {access}"}
        async with play.http.get(play.fake.url + DEVICES, headers=headers) as it:
            assert it.status == 429 and "Retry-After" not in it.headers


async def test_single_permissions_can_be_taken_and_each_answer_tells_the_time() -> None:
    async with playing(Switches(permissions="all", clock_skew=timedelta(hours=1))) as play:
        access = await play.token()
        play.fake.forbid(play.ana.name, DETAILS)
        assert (await play.get(access, DETAILS, fieldSelection="id"))[0] == 403
        headers = {"Authorization": f"Bearer {access}"}
        async with play.http.get(play.fake.url + DEVICES, headers=headers) as it:
            assert (it.status, it.headers["Date"]) == (200, "Wed, 04 Mar 2026 11:30:00 GMT")
