"""myDevices: which things are found, and what is known of each."""

import json
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from told import Told, ToldApi, reply

from harvester.errors import Forbidden, Malformed, PlatformError, ServerFailed
from harvester.model import Channel, Credentials, Device, Discovered, Feed
from harvester.platforms.mydevices import Adapter
from harvester.platforms.mydevices.options import MyDevicesOptions

ANA = Credentials("ana@acme.example", "p")
CLIENT = Credentials(None)
THINGS = "/companies/1/locations/2/things"
PLACE: dict[str, Told] = {"/companies": [{"id": 1}], "/companies/1/locations": [{"id": 2}]}
ADMIN = MyDevicesOptions(
    client_id="u",
    realm="r",
    admin_client_id="a",
    admin_client_secret=SecretStr("s"),
)


def uuid(number: int) -> str:
    return str(UUID(int=number))


def thing(number: int, **more: object) -> dict[str, Any]:
    return {"id": uuid(number), "thing_name": f"thing {number}", "children": []} | more


def seen(number: int, *channels: Channel, **more: Any) -> Discovered:
    device = Device(uuid(number), f"thing {number}", more.get("kind"), channels)
    return Discovered(device, (Feed("readings", uuid(number), (uuid(number),)),))


async def discovered(api: ToldApi, who: Credentials = ANA) -> list[Discovered]:
    return [found async for found in Adapter(ADMIN).discover(api, who) if found.device]


def names(found: list[Discovered]) -> list[str]:
    return [each.device.identifier for each in found if each.device]


async def of_things(*things: object) -> list[Discovered]:
    return await discovered(ToldApi(PLACE | {THINGS: list(things)}))


async def test_a_user_finds_the_things_of_all_places_each_once() -> None:
    api = ToldApi(
        {
            "/companies": [{"id": 1}, {"id": "a/b"}, {"name": "nameless"}],
            "/companies/1/locations": {"count": 2, "rows": [{"id": 2}, {"id": 3}]},
            "/companies/a%2Fb/locations": {"rows": None},
            THINGS: [thing(1), thing(2)],
            "/companies/1/locations/3/things": {"rows": [thing(2), thing(3)]},
        }
    )
    assert await discovered(api) == [seen(1), seen(2), seen(3)]


async def test_a_forbidden_place_does_not_hide_the_others() -> None:
    api = ToldApi(
        {
            "/companies": [{"id": 1}, {"id": 9}],
            "/companies/1/locations": [{"id": 8}, {"id": 2}],
            THINGS: [thing(1)],
        }
    )
    assert await discovered(api) == [seen(1)]


async def test_a_user_who_may_see_nothing_is_not_one_who_has_nothing() -> None:
    with pytest.raises(Forbidden):
        await discovered(ToldApi({}))


@pytest.mark.parametrize("trouble", [ServerFailed("down"), {"error": "x"}, "<html>", None, 7])
async def test_a_list_that_cannot_be_had_ends_the_discovery(trouble: Told) -> None:
    with pytest.raises((ServerFailed, Malformed)):
        await discovered(ToldApi(PLACE | {THINGS: trouble}))


async def test_a_malformed_thing_is_skipped_and_the_others_are_not() -> None:
    assert await of_things(None, "x", {}, {"id": 7}, {"id": "7"}, thing(1)) == [seen(1)]


@pytest.mark.parametrize(
    "ids",
    [
        {"cayenne_id": uuid(1), "id": 4200001},
        {"cayenne_id": None, "id": uuid(1)},
        {"cayenne_id": "4200001", "id": uuid(1).upper()},
        {"cayenne_id": uuid(1), "id": uuid(2)},
    ],
)
async def test_a_thing_is_known_by_the_first_of_its_ids_that_is_a_uuid(
    ids: dict[str, object],
) -> None:
    assert await of_things(thing(1) | ids) == [seen(1)]


SENSORS = [
    {"thing_name": "Temp", "type": "temp", "unit": "c", "properties": '{"channel": 3}'},
    {"name": "Hum", "sensor_type": "rel_hum", "properties": {"channel": "4", "unit": "p"}},
    {"id": "", "name": "SNR", "type": "snr", "unit": None, "properties": {"channel": 101}},
    {"name": "twice", "properties": {"channel": "3"}},
    {"name": "none", "properties": None},
    {"name": "bad", "properties": "{channel: 3"},
    "odd",
]
CHANNELS = (
    Channel("3", "Temp", "temp", "c"),
    Channel("4", "Hum", "rel_hum", "p"),
    Channel("101", "SNR", "snr", None),
)


async def test_sensors_in_the_list_are_channels() -> None:
    assert await of_things(thing(1, children=SENSORS)) == [seen(1, *CHANNELS)]


async def test_a_thing_listed_without_sensors_is_asked_for_by_itself() -> None:
    listed = {key: value for key, value in thing(1).items() if key != "children"}
    whole = listed | {"children": SENSORS, "device_type_id": "template"}
    api = ToldApi(PLACE | {THINGS: [listed], f"/v1.0/things/{uuid(1)}": whole})
    assert await discovered(api) == [seen(1, *CHANNELS, kind="template")]


@pytest.mark.parametrize("told", [Forbidden(""), Malformed(""), None, [1]])
async def test_a_thing_whose_sensors_cannot_be_had_is_still_pulled(told: Told) -> None:
    listed = thing(1, children=None)
    api = ToldApi(PLACE | {THINGS: [listed], f"/v1.0/things/{uuid(1)}": told})
    assert await discovered(api) == [seen(1)]


@pytest.mark.parametrize("form", [json.dumps, dict])
async def test_a_unit_chosen_by_the_user_stands_before_the_sensors_own(form: Any) -> None:
    chosen = form({"child.3.unit": "f", "child.4.unit": None, "unit": "k"})
    [found] = await of_things(thing(1, children=SENSORS, properties=chosen))
    channels = found.device.channels if found.device else ()
    assert [channel.unit for channel in channels] == ["f", "p", None]


@pytest.mark.parametrize(
    "silent",
    [
        {"status": 1},
        {"status": "1"},
        {"thing_type": "gateways"},
        {"sensor_type": "Gateway"},
        {"sensor_use": "gateway"},
    ],
)
async def test_a_gateway_or_a_deactivated_thing_is_a_device_without_a_feed(
    silent: dict[str, object],
) -> None:
    api = ToldApi(PLACE | {THINGS: [thing(1, children=None) | silent]})
    found = await discovered(api)
    assert (names(found), found[0].feeds) == ([uuid(1)], ())
    assert [path for path, _ in api.asked] == ["/companies", "/companies/1/locations", THINGS]


USERS = {"count": 2, "rows": [{"id": "u1", "email": "ana@x", "username": "ana"}, {"id": "u2"}]}


async def test_the_admin_client_finds_things_through_their_owners() -> None:
    things = [thing(1, user_id="u1"), thing(2, user_id="u2"), thing(3), thing(4, user_id="u1")]
    things[3]["status"] = 1
    api = ToldApi({"/v1.0/admin/users": USERS, "/v1.0/admin/things": {"rows": things}})
    found = await discovered(api, CLIENT)
    assert names(found) == [uuid(n) for n in (1, 2, 3, 4)]
    assert [each.seen_by for each in found] == ["ana@x", None, None, "ana@x"]
    assert [bool(each.feeds) for each in found] == [True, False, False, False]


async def test_the_documented_admin_thing_is_read() -> None:
    users = [{"id": "5d1c0a52-0000-4000-8000-0000000000cc", "username": "ana"}]
    told = reply("mydevices/admin_things")
    api = ToldApi({"/v1.0/admin/users": users, "/v1.0/admin/things": told})
    [found] = await discovered(api, CLIENT)
    identifier = "0f6c2a30-0000-11f1-8000-0000000000aa"
    kind = "2b0c9d10-0000-11ef-8000-0000000000bb"
    assert found == Discovered(
        Device(identifier, "Cold room 2", kind),
        (Feed("readings", identifier, (identifier,)),),
        "ana",
    )


def paged(things: int, *, size: int, **envelope: object) -> Told:
    """A list in pages of `size` at most, whatever is asked for; `envelope` may lie."""

    def told(params: dict[str, Any]) -> object:
        start = params["page"] * min(size, params["limit"])
        rows = [thing(n) for n in range(start, min(start + size, things))]
        if not envelope:
            return rows
        return {"count": things, "limit": size, "page": params["page"], "rows": rows} | envelope

    return told


@pytest.mark.parametrize("things", [0, 1, 19, 20, 21, 40, 250])
@pytest.mark.parametrize(
    "envelope",
    [{}, {"count": None}, {"limit": None}, {"count": 3}, {"count": 10_000}, {"count": "many"}],
)
async def test_pages_are_followed_to_the_end_whatever_the_envelope_says(
    things: int, envelope: dict[str, object]
) -> None:
    api = ToldApi(
        {"/v1.0/admin/users": [], "/v1.0/admin/things": paged(things, size=20, **envelope)}
    )
    found = await discovered(api, CLIENT)
    assert sorted(names(found)) == [uuid(n) for n in range(things)]
    assert len(api.asked) <= things // 20 + 3


async def test_a_list_that_ignores_pages_is_read_but_once_more() -> None:
    rows = {"count": 500, "limit": 100, "rows": [thing(n) for n in range(100)]}
    api = ToldApi({"/v1.0/admin/users": [], "/v1.0/admin/things": rows})
    assert len(await discovered(api, CLIENT)) == 100
    assert len(api.asked) == 3


async def test_the_admin_client_is_refused_as_anybody_is() -> None:
    with pytest.raises(PlatformError):
        await discovered(ToldApi({"/v1.0/admin/users": USERS}), CLIENT)
