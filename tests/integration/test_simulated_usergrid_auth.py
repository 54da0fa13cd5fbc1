"""The fake Usergrid logs in, expires and refuses for real."""

import json
from base64 import b64encode
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from simulated_usergrid import MANAGEMENT, ME, NOW, REFUSED, TOKEN, playing

from harvester.simulator import usergrid_shapes as shapes, usergrid_tokens as texts
from harvester.simulator.tenants import Client
from harvester.simulator.usergrid_logins import application_client, organization_client
from harvester.simulator.usergrid_quirks import WEEK, Switches
from harvester.simulator.world import millis

HOUR = timedelta(hours=1)


def test_a_token_is_laid_out_as_the_source_lays_it_out() -> None:
    uuid, expires = UUID("1b4e28ba-2fa1-11ee-b9d1-0242ac120002"), 1691308800000
    text = "YWMtG04oui-hEe650QJCrBIAAgAAAYnJ3DgAqge4pSmHmdYfOlFpYuL5gLXx4f0"
    assert texts.minted(uuid, expires) == text and len(text) == 63
    assert texts.opened(text) == (uuid, expires)
    for forged in (text[:-1] + "1", text.replace("YWMt", "cmUt"), text[:20], "rubbish", "a:b", "é"):
        with pytest.raises(texts.Forged):
            texts.opened(forged)
    assert texts.time_uuid(millis(NOW), 1).version == 1
    assert (texts.time_uuid(0, 0).time, texts.time_uuid(1, 7).time) == (
        0x01B21DD213814000,
        0x01B21DD213814000 + 10_007,
    )


async def test_each_level_logs_in_and_says_whom_the_token_is_for() -> None:
    async with playing() as play:
        own, organization = application_client(play.acme), organization_client(play.acme)
        assert (own.id[:4], organization.id[:4], len(own.id)) == ("YXA6", "b3U6", 26)
        replies = [
            await play.token(),
            await play.client(own),
            await play.token(MANAGEMENT),
            await play.client(organization, MANAGEMENT),
        ]
        assert [status for status, _ in replies] == [200] * 4
        user, application, admin, organized = (body for _, body in replies)
        assert (user["user"]["email"], user["user"]["uuid"]) == (play.ana.name, play.ana.id)
        assert application["application"] == shapes.application_id(play.acme)
        assert list(admin["user"]["organizations"]) == ["acme"] and admin["passwordChanged"]
        assert organized["organization"]["name"] == "acme"
        for _, body in replies:
            assert body["expires_in"] == 604_800 and len(body["access_token"]) == 63
            assert not {"token_type", "refresh_token"} & set(body)


async def test_a_client_is_of_the_level_of_its_id_wherever_it_asks() -> None:
    async with playing() as play:
        assert "organization" in (await play.client(organization_client(play.acme)))[1]
        assert "application" in (await play.client(application_client(play.acme), MANAGEMENT))[1]
        assert await play.client(Client("nobody", "s")) == (400, REFUSED)
        wrong = Client(application_client(play.acme).id, "guess")
        assert await play.client(wrong) == (400, REFUSED)


async def test_a_user_is_named_by_name_address_or_uuid() -> None:
    async with playing() as play:
        for name in (play.ana.name, play.ana.name.upper(), "ana", play.ana.id):
            assert (await play.token(username=name))[0] == 200
        assert await play.token(MANAGEMENT, username="ana") == (400, REFUSED)
        ids = f"/{shapes.organization_id(play.acme)}/{shapes.application_id(play.acme)}/token"
        assert (await play.token(ids))[0] == 200


async def test_a_login_is_taken_in_any_encoding_at_any_spelling_of_the_url() -> None:
    async with playing() as play:
        asked = {key: str(value) for key, value in play.password().items()}
        text = json.dumps(asked)
        for more in (
            {"data": asked},
            {"data": text, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            {"data": text.encode(), "skip_auto_headers": ["Content-Type"]},
        ):
            assert (await play.send("POST", TOKEN, **more))[0] == 200
        for path in ("//acme//plant7/token/", "/Acme/Plant7/token"):
            assert (await play.token(path))[0] == 200
        assert play.fake.violations == []
        assert (await play.send("GET", TOKEN, params=asked))[0] == 200
        assert play.fake.violations == ["a secret in the URL of a login"]
        assert play.fake.token_calls == {"password": 6}


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "p&w"},
        {"username": "eve@acme.example"},
        {"username": "chloe@globex.example"},
        {"grant_type": "refresh_token"},
        {"grant_type": None},
    ],
)
async def test_whatever_is_wrong_with_a_login_is_said_in_the_same_words(
    changes: dict[str, Any],
) -> None:
    async with playing() as play:
        assert await play.token(**changes) == (400, REFUSED)


async def test_a_user_is_one_of_the_own_application() -> None:
    async with playing() as play:
        user = play.fake.world.users("globex")[0]
        asked = {"username": user.name, "password": user.password}
        assert await play.token(**asked) == (400, REFUSED)
        assert (await play.token("/globex/plant7/token", **asked))[0] == 200


async def test_an_unknown_application_and_other_nonsense_are_told_by_a_code() -> None:
    async with playing() as play:
        status, body = await play.token("/acme/other/token")
        assert (status, body["error"]) == (404, "organization_application_not_found")
        assert set(body) == {"error", "timestamp", "duration", "exception", "error_description"}
        for text in ("{", "[1]"):
            status, body = await play.send("POST", TOKEN, data=text)
            assert (status, body["error"]) == (400, "json_parse")
        assert (await play.send("POST", TOKEN, data="a=b"))[0] == 415  # sent as plain text
        assert (await play.send("DELETE", TOKEN))[0] == 404


async def test_a_ttl_is_in_milliseconds_and_has_a_limit_that_clients_are_not_told() -> None:
    async with playing() as play:
        assert (await play.token(ttl=60_000))[1]["expires_in"] == 60
        assert (await play.token(ttl="60000"))[1]["expires_in"] == 60
        assert (await play.token(ttl=0))[1]["expires_in"] == 604_800
        status, body = await play.token(ttl=WEEK + 1)
        assert (status, body["error"]) == (400, "illegal_argument")
        assert "cannot be more than the maximum age of 604800000 milli" in body["error_description"]
        assert (await play.token(ttl="derp"))[1]["error_description"].startswith("ttl must be")
        assert await play.client(application_client(play.acme), ttl=WEEK + 1) == (400, REFUSED)
        query = {key: str(value) for key, value in play.password(ttl="derp").items()}
        assert (await play.send("GET", TOKEN, params=query))[0] == 500


async def test_a_token_ends_on_the_worlds_clock_and_use_does_not_prolong_it() -> None:
    async with playing() as play:
        access = await play.login(ttl=3_600_000)
        for _ in range(4):
            assert await play.why_not(access) == ""
            play.clock.advance(HOUR / 4)
        assert await play.why_not(access) == ""
        play.clock.advance(timedelta(milliseconds=1))
        assert await play.why_not(access) == "expired_token"


async def test_without_a_limit_a_token_never_ends_and_says_so_absurdly() -> None:
    async with playing(Switches(accesstokenttl=0)) as play:
        _, body = await play.token()
        assert body["expires_in"] == 9_223_372_036_854_775
        play.clock.advance(timedelta(days=3650))
        assert await play.why_not(body["access_token"]) == ""
        assert (await play.token(MANAGEMENT))[1]["expires_in"] == 604_800
        play.fake.revoke(play.ana.name)
        assert await play.why_not(body["access_token"]) == "auth_invalid"


@pytest.mark.parametrize(
    ("spelling", "said"),
    [("float", 604_800.0), ("string", "604800"), ("zero", 0), ("null", None), ("absent", "none")],
)
async def test_a_lifetime_is_said_in_many_ways(spelling: Any, said: object) -> None:
    async with playing(Switches(expires_in_as=spelling)) as play:
        told = (await play.token())[1].get("expires_in", "none")
        assert (told, type(told)) == (said, type(said))


@pytest.mark.parametrize(
    ("server", "code"), [("2.1.0", "auth_bad_access_token"), ("2.2", "auth_unverified_oath")]
)
async def test_a_forged_token_is_named_by_the_servers_version(server: Any, code: str) -> None:
    async with playing(Switches(server=server)) as play:
        access = await play.login()
        for forged in ("invented", access[:-2] + "zz", access[:30], "cmUt" + access[4:]):
            assert await play.why_not(forged) == code
        assert await play.why_not("") == "unauthorized"


async def test_tokens_of_old_serve_as_well() -> None:
    async with playing(Switches(old_tokens=True)) as play:
        access = await play.login(ttl=1000)
        assert access.count(":") == 2 and await play.why_not(access) == ""
        assert await play.why_not("", f"{ME}?access_token={access}") == ""
        play.clock.advance(HOUR)
        assert await play.why_not(access) == "expired_token"


async def test_a_token_serves_its_own_application_only() -> None:
    async with playing() as play:
        user, admin = await play.login(), await play.login(MANAGEMENT)
        own = (await play.client(application_client(play.acme)))[1]["access_token"]
        paths = (ME, "/acme/plant7", "/management/me", "/globex/plant7/users/me", "/globex/plant7")
        found = [
            [(await play.send("GET", path, bearer))[0] for path in paths]
            for bearer in (user, admin, own)
        ]
        assert found == [
            [200, 200, 401, 401, 401],
            [404, 200, 200, 401, 401],
            [404, 200, 401, 401, 401],
        ]


async def test_a_token_in_the_query_goes_before_the_one_in_the_header() -> None:
    async with playing() as play:
        access = await play.login()
        assert await play.why_not("", f"{ME}?access_token={access}") == ""
        assert await play.why_not(access, f"{ME}?access_token=x") == "auth_unverified_oath"


async def test_a_stale_token_breaks_even_a_login() -> None:
    async with playing() as play:
        access = await play.login(ttl=1)
        play.clock.advance(HOUR)
        status, body = await play.send("POST", TOKEN, access, json=play.password())
        assert (status, body["error"]) == (401, "expired_token")
        admin = await play.login(MANAGEMENT)
        status, body = await play.send("POST", MANAGEMENT, admin, json={})
        assert status == 200 and body["access_token"] != admin
        assert play.fake.violations == ["a token sent with a login"] * 2


async def test_a_client_may_come_in_the_header_or_the_query() -> None:
    async with playing() as play:
        client = application_client(play.acme)
        basic = b64encode(f"{client.id}:{client.secret}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}"}
        asked = {"grant_type": "client_credentials"}
        assert (await play.send("POST", TOKEN, headers=headers, json=asked))[0] == 200
        assert (await play.send("GET", "/acme/plant7", headers=headers))[0] == 200
        headers = {"Authorization": f"Basic {b64encode(b'a:b').decode()}"}
        status, body = await play.send("POST", TOKEN, headers=headers, json=asked)
        assert (status, body["error"]) == (401, "auth_invalid_credentials")
        query = {"client_id": client.id, "client_secret": "guess"}
        status, body = await play.send("GET", "/acme/plant7", params=query)
        assert (status, body["error"]) == (401, "invalid_client")
