"""The fake myDevices tells the world's readings, whole, in the vendor's shapes."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from simulated import NOW, Play, playing

from harvester.simulator.mydevices import serve
from harvester.simulator.mydevices_quirks import Switches
from harvester.simulator.tenants import Tenant, User
from harvester.simulator.uplinks import QUIET
from harvester.simulator.world import millis

HOURS = timedelta(hours=1)


async def walk(play: Play, access: str) -> list[Any]:
    """Return the things a user finds, each as asked for by itself."""
    found = []
    _, companies = await play.get("/companies", access)
    for company in companies:
        _, locations = await play.get(f"/companies/{company['id']}/locations", access)
        for location in locations:
            path = f"/companies/{company['id']}/locations/{location['id']}/things"
            _, things = await play.get(path, access)
            found += [(await play.get(f"{path}/{thing['id']}", access))[1] for thing in things]
    return found


def told(value: Any) -> float | str:
    if isinstance(value, str) and not re.fullmatch(r"-?\d+(\.\d+)?", value):
        return value
    return float(value)


def ts(body: Any) -> list[int]:
    return [reading["ts"] for reading in body["readings"]]


async def test_what_all_users_of_a_tenant_can_pull_is_the_truth() -> None:
    async with playing() as play:
        pulled: dict[tuple[str, str, datetime], tuple[str, float | str]] = {}
        for user in play.tenant.users:
            access = await play.login(user)
            for thing in await walk(play, access):
                path = f"/v1.0/things/{thing['id']}/readings"
                _, body = await play.get(path, access, start_ts=0, end_ts=millis(NOW))
                for reading in body["readings"]:
                    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=reading["ts"])
                    for sensor in reading["sensors"]:
                        key = (thing["id"], sensor["channel"], at)
                        claim = (reading.get("correlation_id", ""), told(sensor["v"]))
                        pulled[key] = max(pulled.get(key, claim), claim)
        assert {key: value for key, (_, value) in pulled.items()} == play.fake.world.truth("acme")
        assert len(pulled) > 3000


async def test_each_user_finds_what_he_may_see_and_nothing_else() -> None:
    async with playing() as play:
        for user in play.tenant.users:
            access = await play.login(user)
            for thing in play.tenant.things:
                status, _ = await play.get(f"/v1.0/things/{thing.uuid}", access)
                assert status == (200 if user.name in thing.seen_by else 403)
            found = {thing["cayenne_id"] for thing in await walk(play, access)}
            assert found == {t.uuid for t in play.tenant.things if user.name in t.seen_by}
        nobodys = "/v1.0/things/0f6c2a30-0000-11f1-8000-0000000000aa/readings"
        assert (await play.get(nobodys, access, start_ts=0, end_ts=1))[0] == 404
        assert (await play.get("/companies/1/locations", access))[0] == 404
        elsewhere = "/companies/40001/locations/53001/things/" + play.thing("Gateway").uuid
        assert (await play.get(elsewhere, access))[0] == 404
        assert (await play.get("/v1.0/nothing", access))[0] == 404


async def test_readings_come_newest_first_and_only_when_published() -> None:
    async with playing(habits=QUIET) as play:
        access, weather = await play.login(play.tenant.users[1]), play.thing("Weather station")
        body = await play.readings(weather, access, NOW - HOURS, NOW + HOURS)
        half_hours = [NOW, NOW - HOURS / 2, NOW - HOURS]  # both ends of the window among them
        assert ts(body) == [millis(at) for at in half_hours]
        play.clock.advance(HOURS / 2)
        body = await play.readings(weather, access, NOW, NOW + HOURS)
        assert ts(body) == [millis(NOW + HOURS / 2), millis(NOW)]
        assert (await play.readings(weather, access, NOW + 5 * HOURS, NOW + 6 * HOURS))[
            "readings"
        ] == []


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        (Switches(newest_first=False), [0, 30, 60]),
        (Switches(start_inclusive=False), [60, 30]),
        (Switches(end_inclusive=False), [30, 0]),
        (Switches(page_cap=2), [60, 30]),
        (Switches(page_cap=2, newest_first=False), [0, 30]),
    ],
)
async def test_order_bounds_and_cap_are_switches(switches: Switches, expected: list[int]) -> None:
    async with playing(switches, QUIET) as play:
        access, weather = await play.login(play.tenant.users[1]), play.thing("Weather station")
        body = await play.readings(weather, access, NOW - HOURS, NOW)
        minutes = [(at - millis(NOW - HOURS)) // 60_000 for at in ts(body)]
        assert minutes == expected
        assert body.keys() == {"count_took", "took", "transfer", "readings"}


@pytest.mark.parametrize("newest_first", [True, False])
async def test_the_cursor_leads_through_all_pages(newest_first: bool) -> None:
    async with playing(Switches(page_cap=7, cursor=True, newest_first=newest_first)) as play:
        access, room, pages = await play.login(), play.thing("Cold room"), 1
        body = await play.readings(room, access)
        seen = {(r["ts"], r.get("correlation_id")) for r in body["readings"]}
        while "timestamp" in body and pages < 100:
            body, pages = await play.readings(room, access, timestamp=body["timestamp"]), pages + 1
            seen |= {(r["ts"], r.get("correlation_id")) for r in body["readings"]}
        now = millis(NOW)
        rows = list(play.fake.world.readings(room, 0, now, now))
        assert seen == {(row.ms, row.correlation_id) for row in rows}
        assert pages >= len(rows) // 7


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"start_ts": 1},
        {"end_ts": 1},
        {"start_ts": "noon", "end_ts": 1},
        {"start_ts": "", "end_ts": 1},
        {"start_ts": 2, "end_ts": 1},
        {"start_ts": "1.5", "end_ts": 2},
    ],
)
async def test_a_window_that_is_none_is_refused(query: dict[str, str | int]) -> None:
    async with playing() as play:
        path = f"/v1.0/things/{play.thing('Cold room').uuid}/readings"
        status, body = await play.get(path, await play.login(), **query)
        assert (status, body["statusCode"], body["error"]) == (400, 400, "Bad Request")


async def test_children_state_channel_type_and_unit() -> None:
    async with playing() as play:
        access = await play.login(play.tenant.users[0])
        _, room = await play.get(f"/v1.0/things/{play.thing('Cold room').uuid}", access)
        stated = {json.loads(child["properties"])["channel"]: child for child in room["children"]}
        assert [(ch, c["type"], c["unit"]) for ch, c in stated.items()] == [
            ("3", "temp", "c"),
            ("4", "rel_hum", "p"),
            ("5", "batt", "p"),
            ("100", "rssi", "dbm"),
            ("101", "snr", "db"),
        ]
        assert [child["id"] == "" for child in stated.values()] == [False] * 4 + [True]
        _, leak = await play.get(
            f"/v1.0/things/{play.thing('Leak').uuid}", await play.login(play.tenant.users[1])
        )
        assert len(leak["children"]) == len(play.thing("Leak").model.sensors) - 2
        assert room["id"] == room["cayenne_id"] and isinstance(room["tina_id"], int)
        assert json.loads(room["properties"])["deveui"] == room["hardware_id"]


async def test_channels_may_be_numbers_but_names_stay_text() -> None:
    async with playing(Switches(channel_as="int"), QUIET) as play:
        body = await play.readings(play.thing("Pump"), await play.login())
        channels = {sensor["channel"] for r in body["readings"] for sensor in r["sensors"]}
        assert channels == {10, 502, "status", "sys:cpu;load"}


async def test_the_admin_lists_things_by_pages_and_users_at_once() -> None:
    async with playing() as play:
        access, uuids = await play.admin_token(), [thing.uuid for thing in play.tenant.things]
        pages = [
            (await play.get("/v1.0/admin/things", access, page=n, limit=4))[1] for n in range(4)
        ]
        assert [row["id"] for page in pages for row in page["rows"]] == uuids
        assert [(page["count"], len(page["rows"])) for page in pages][2:] == [(10, 2), (10, 0)]
        _, whole = await play.get("/v1.0/admin/things", access, status=0)
        assert (whole["limit"], whole["page"], whole["count"]) == (20, 0, 9)
        assert (await play.get(f"/v1.0/admin/things/{uuids[0]}", access))[1] == pages[0]["rows"][0]
        play.fake.disable(play.ana.name)
        _, users = await play.get("/v1.0/admin/users", access)
        assert users["count"] == 3
        assert [user["enabled"] for user in users["rows"]] == [False, True, True]


async def test_two_tenants_live_at_one_address_apart() -> None:
    async with playing() as play:
        other: Tenant = play.fake.world.tenants["globex"]
        stranger: User = other.users[0]
        client = other.user_client
        form = play.login_form(stranger, client_id=client.id, client_secret=client.secret)
        _, body = await play.token(form)
        path = f"/v1.0/things/{play.thing('Cold room').uuid}/readings"
        assert (await play.get(path, body["access_token"], start_ts=0, end_ts=1))[0] == 403
        assert (await play.token(play.login_form(stranger)))[0] == 401


async def test_requests_are_counted_by_route() -> None:
    async with playing() as play:
        access = await play.login()
        await play.readings(play.thing("Cold room"), access)
        await play.get("/v1.0/nowhere", access)
        assert play.fake.requests == {
            "POST /v1.0/oauth/token": 1,
            "GET /v1.0/things/{thing}/readings": 1,
            "GET elsewhere": 1,
        }


async def test_a_port_may_be_given() -> None:
    async with playing() as play:
        port = int(play.fake.url.rpartition(":")[2])
    async with serve(play.fake.world, port=port) as fake:
        assert fake.url == f"http://127.0.0.1:{port}"
