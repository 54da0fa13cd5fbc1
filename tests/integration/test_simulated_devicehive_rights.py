"""The tokens of the fake DeviceHive say who may what, are narrowed, and are believed."""

from datetime import timedelta

import pytest
from simulated_devicehive import NOW, Play, Reply, payload, playing

from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.world import millis

OF_CLIENTS = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16, 17]
UNAUTHORIZED = {"error": 401, "message": "Unauthorized"}


async def test_a_token_says_who_may_what_and_until_when_in_milliseconds() -> None:
    async with playing() as play:
        access, refresh = map(payload, await play.pair())
        assert access["e"] == millis(NOW) + 30 * 60 * 1000
        assert refresh["e"] == millis(NOW) + 182 * 86_400_000
        assert (access["t"], refresh["t"]) == (1, 0)
        assert access["a"] == OF_CLIENTS and access["dt"] == ["*"]
        assert access["n"] and all(isinstance(each, str) for each in access["n"])


async def test_a_tenants_admin_sees_all_of_it_and_a_user_what_is_shared_with_it() -> None:
    async with playing() as play:
        tenant = play.fake.world.tenants["acme"]
        admin = tenant.admin_client
        _, body = await play.login(login=admin.id, password=admin.secret)
        assert payload(body["accessToken"]) | {"e": 0} == {
            "a": [0],
            "e": 0,
            "t": 1,
            "u": payload(body["accessToken"])["u"],
            "n": ["*"],
            "dt": ["*"],
        }
        everything = {thing.uuid for thing in tenant.things}
        hers = {thing.uuid for thing in tenant.things if play.ana.name in thing.seen_by}
        access, _ = await play.pair()
        for token, expected in ((body["accessToken"], everything), (access, hers)):
            _, rows = await play.get("/device", token)
            assert {row["id"] for row in rows} == expected


async def test_an_access_token_is_asked_for_by_name() -> None:
    async with playing() as play:
        access, refresh = await play.pair()
        assert await play.get("/device", None) == (401, UNAUTHORIZED)
        for odd in (f"bearer {access}", f"Basic {access}", "Bearer"):
            status, body = await play.get_with("/device", {"Authorization": odd})
            assert (status, body["message"]) == (401, "No message available")
        assert (await play.get_with("/device", {"Authorization": f"Bearer{access}"}))[0] == 200
        for odd in (refresh, "garbage"):
            status, body = await play.get("/device", odd)
            assert (status, body["message"]) == (401, "Unauthorized")


async def test_who_is_disabled_gets_no_token_and_none_serves() -> None:
    async with playing() as play:
        access, refresh = await play.pair()
        play.fake.disable(play.ana.name)
        assert (await play.login())[1]["message"] == "User is locked or disabled"
        assert (await play.refresh(refresh))[0] == 401
        assert (await play.get("/device", access))[0] == 401


async def test_networks_assigned_later_are_seen_by_a_new_login_only() -> None:
    async with playing() as play:
        access, refresh = await play.pair()
        hers = set(payload(access)["n"])
        other = next(each for each in play.fake.tokens.site.networks if str(each) not in hers)
        play.fake.assign(play.ana.name, other)
        _, body = await play.refresh(refresh)
        assert set(payload(body["accessToken"])["n"]) == hers
        seen = [
            {str(row["id"]) for row in (await play.get("/network", token))[1]}
            for token in (access, body["accessToken"], (await play.pair())[0])
        ]
        assert seen == [hers, hers, {*hers, str(other)}]


async def test_another_secret_ends_all_tokens() -> None:
    async with playing() as play:
        access, refresh = await play.pair()
        play.fake.change_secret()
        assert (await play.get("/device", access))[0] == 401
        assert (await play.refresh(refresh))[0] == 401
        access, _ = await play.pair()
        assert (await play.get("/device", access))[0] == 200


async def create(play: Play, access: str | None, **asked: object) -> Reply:
    """Ask for other tokens, of the one who asks unless `asked` says more."""
    return await play.post("/create", {"userId": payload(access or "").get("u"), **asked}, access)


async def test_a_narrowed_token_may_read_and_no_more_and_so_may_what_is_refreshed_with_it() -> None:
    async with playing() as play:
        access, _ = await play.pair()
        hers = payload(access)["n"]
        asked = {"actions": ["GetNetwork", 3, "GetNothing"], "networkIds": hers[:1]}
        status, body = await create(play, access, **asked, deviceTypeIds=["*"])
        assert status == 201
        _, refreshed = await play.refresh(body["refreshToken"])
        for token in (body["accessToken"], refreshed["accessToken"]):
            assert (payload(token)["a"], payload(token)["n"]) == ([2, 3], hers[:1])
            assert {row["networkId"] for row in (await play.get("/device", token))[1]} == {
                int(hers[0])
            }
            denied = {"error": 403, "message": "Access is denied"}
            assert await play.get("/user/current", token) == (403, denied)
            assert await create(play, token) == (403, denied)
        assert (await play.get("/user/current", access))[1]["login"] == play.ana.name


@pytest.mark.parametrize(
    ("asked", "access_end", "refresh_end"),
    [
        ({}, timedelta(minutes=30), timedelta(days=182)),
        (
            {"refreshExpiration": "2026-03-05T10:30:00.000"},
            timedelta(minutes=30),
            timedelta(days=1),
        ),
        ({"expiration": "2026-03-04T11:30:00.000Z"}, timedelta(hours=1), timedelta(hours=1)),
        (
            {"expiration": millis(NOW) - 1000, "refreshExpiration": millis(NOW)},
            timedelta(seconds=-1),
            timedelta(),
        ),
    ],
)
async def test_an_end_may_be_asked_for(
    asked: dict[str, object], access_end: timedelta, refresh_end: timedelta
) -> None:
    async with playing() as play:
        access, _ = await play.pair()
        _, body = await create(play, access, actions=[3], **asked)
        ends = [payload(body[key])["e"] for key in ("accessToken", "refreshToken")]
        assert ends == [millis(NOW + access_end), millis(NOW + refresh_end)]


async def test_a_token_without_actions_may_nothing_and_with_an_empty_list_of_them_much() -> None:
    async with playing() as play:
        access, _ = await play.pair()
        for asked, status in (({}, 403), ({"actions": []}, 200), ({"actions": ["Nothing"]}, 200)):
            _, body = await create(play, access, networkIds=["*"], **asked)
            assert (await play.get("/device", body["accessToken"]))[0] == status


async def test_who_is_not_there_or_not_active_gets_no_token_from_another() -> None:
    async with playing() as play:
        access, _ = await play.pair()
        bojan = play.fake.world.users("acme")[1].name
        other = play.fake.tokens.site.accounts[bojan].id
        assert (await create(play, access, userId=other))[0] == 201  # nobody asks whose it is
        play.fake.disable(bojan)
        refused = {"error": 403, "message": "User is locked or disabled"}
        assert await create(play, access, userId=other) == (403, refused)
        status, body = await create(play, access, userId=999)
        assert (status, body["message"]) == (404, "User with id = 999 not found")
        assert await create(play, None, userId=other) == (401, UNAUTHORIZED)
        assert (await create(play, access, expiration="soon"))[1]["message"] == (
            "Unparseable timestamp"
        )


@pytest.mark.parametrize(
    ("switches", "status"),
    [(Switches(manage_token=False), 403), (Switches(knows_create=False), 404)],
)
async def test_narrowing_may_be_forbidden_or_unknown(switches: Switches, status: int) -> None:
    async with playing(switches) as play:
        access, _ = await play.pair()
        assert (15 in payload(access)["a"]) == (status == 404)
        assert (await create(play, access))[0] == status
        assert play.fake.token_calls == {"password": 1, "create": 1}
