"""The fake myDevices logs in, renews, expires and refuses for real."""

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web
from simulated import Play, playing

from harvester.simulator.faults import Answer, Fault
from harvester.simulator.mydevices_quirks import Switches

BAD_CLIENT = "Invalid client or Invalid client credentials"
DAY = timedelta(days=1)
BOOM_401 = {"statusCode": 401, "error": "Unauthorized", "message": "Invalid credentials"}
CREDENTIALS = {"grant_type": "client_credentials"}


async def refresh(play: Play, token: str) -> tuple[int, str | None, str]:
    """Return status, new refresh token, description of the refusal."""
    status, body = await play.token(play.refresh_form(token))
    return status, body.get("refresh_token"), body.get("error_description", "")


@pytest.mark.parametrize("path", ["/v1.0/oauth/token", "/oauth/token"])
async def test_every_user_logs_in_by_form_and_by_json(path: str) -> None:
    async with playing() as play:
        for user in play.tenant.users:
            form = play.login_form(user)
            status, body = await play.token(form, path)
            assert status == 200 and body["token_type"] == "bearer"
            assert (body["expires_in"], body["refresh_expires_in"]) == (86_400, 172_800)
            async with play.http.post(play.fake.url + path, json=form) as answer:
                assert answer.headers["Cache-Control"] == "no-store"
                by_json = await answer.json()
            assert by_json["session_state"] != body["session_state"]
            assert (await play.get("/companies", by_json["access_token"]))[0] == 200
        assert play.fake.token_calls == {"password": 6}


@pytest.mark.parametrize(
    ("changes", "status", "error", "description"),
    [
        ({"password": "p&w"}, 401, "invalid_grant", "Invalid user credentials"),
        ({"username": "eve@acme.example"}, 401, "invalid_grant", "Invalid user credentials"),
        ({"username": None}, 401, "invalid_request", "Missing parameter: username"),
        ({"client_id": "nobody"}, 400, "invalid_client", BAD_CLIENT),
        ({"client_id": None}, 400, "invalid_client", "Missing client_id parameter"),
        ({"client_secret": "guess"}, 400, "unauthorized_client", BAD_CLIENT),
        ({"client_secret": None}, 400, "unauthorized_client", BAD_CLIENT),
        ({"grant_type": None}, 400, "invalid_request", "Missing form parameter: grant_type"),
        (CREDENTIALS, 400, "unsupported_grant_type", "Unsupported grant_type"),
        ({"grant_type": "refresh_token"}, 400, "invalid_request", "No refresh token"),
    ],
)
async def test_a_token_call_is_refused_in_keycloaks_words(
    changes: dict[str, str | None], status: int, error: str, description: str
) -> None:
    async with playing() as play:
        reply = await play.token(play.login_form(**changes))
        assert reply == (status, {"error": error, "error_description": description})


async def test_a_newer_keycloak_moves_the_statuses() -> None:
    async with playing(Switches(status_profile="new")) as play:
        assert (await play.token(play.login_form(password="no")))[0] == 400
        assert (await play.token(play.login_form(client_id="nobody")))[0] == 401
        assert (await play.token(play.login_form(client_secret="no")))[0] == 401


async def test_a_repeated_form_key_is_refused() -> None:
    async with playing() as play:
        doubled = [*play.login_form().items(), ("client_id", "acme-user")]
        async with play.http.post(play.fake.url + "/oauth/token", data=doubled) as answer:
            assert answer.status == 400
            assert (await answer.json())["error_description"] == "duplicated parameter"


async def test_json_that_is_none_is_refused() -> None:
    async with playing() as play:
        for text in ("{", "[1]"):
            headers = {"Content-Type": "application/json"}
            url = play.fake.url + "/oauth/token"
            async with play.http.post(url, data=text, headers=headers) as answer:
                assert (await answer.json())["statusCode"] == 400


async def test_an_access_token_expires_on_the_worlds_clock() -> None:
    async with playing() as play:
        access = await play.login()
        play.clock.advance(DAY - timedelta(seconds=1))
        assert (await play.get("/companies", access))[0] == 200
        play.clock.advance(timedelta(seconds=1))
        assert await play.get("/companies", access) == (401, BOOM_401)
        assert await play.get("/companies", "invented") == (401, BOOM_401)


async def test_a_refresh_token_expires_but_refreshing_slides_on() -> None:
    async with playing() as play:
        _, body = await play.token(play.login_form())
        token = first = body["refresh_token"]
        for _ in range(4):
            play.clock.advance(1.5 * DAY)
            status, new, _ = await refresh(play, token)
            assert status == 200 and new and new != token
            token = new
        assert await refresh(play, first) == (400, None, "Token is not active")
        assert await refresh(play, "garbage") == (400, None, "Invalid refresh token")


async def test_a_refresh_token_serves_its_own_client_only() -> None:
    async with playing() as play:
        _, body = await play.token(play.login_form())
        form = play.refresh_form(body["refresh_token"])
        client = play.fake.world.tenants["globex"].user_client
        form |= {"client_id": client.id, "client_secret": client.secret}
        status, refusal = await play.token(form)
        assert (status, refusal["error"]) == (400, "invalid_grant")
        assert "Token client and authorized client" in refusal["error_description"]


async def test_with_a_session_maximum_every_lifetime_ends_with_it() -> None:
    async with playing(Switches(session_max=3 * 86_400)) as play:
        _, body = await play.token(play.login_form())
        left = []
        for _ in range(2):
            play.clock.advance(1.25 * DAY)
            _, body = await play.token(play.refresh_form(body["refresh_token"]))
            left.append((body["expires_in"], body["refresh_expires_in"]))
        assert left == [(86_400, 151_200), (43_200, 43_200)]
        play.clock.advance(0.5 * DAY)
        assert await refresh(play, body["refresh_token"]) == (400, None, "Token is not active")


async def test_without_rotation_an_old_refresh_token_goes_on_working() -> None:
    async with playing() as play:
        _, body = await play.token(play.login_form())
        for _ in range(3):
            assert (await refresh(play, body["refresh_token"]))[0] == 200
        assert play.fake.violations == []


async def test_with_rotation_reuse_kills_the_session() -> None:
    async with playing(Switches(rotate=True)) as play:
        _, body = await play.token(play.login_form())
        _, newest, _ = await refresh(play, body["refresh_token"])
        assert await refresh(play, body["refresh_token"]) == (400, None, "Stale token")
        gone = "Session doesn't have required client"
        assert await refresh(play, str(newest)) == (400, None, gone)
        assert play.fake.violations == [f"used refresh token sent again by {play.ana.name}"]


async def test_refreshes_of_one_account_that_overlap_are_noticed() -> None:
    both_are_in = asyncio.Barrier(2)

    async def meet(request: web.Request, honest: Answer) -> web.StreamResponse:
        await both_are_in.wait()
        return await honest(request)

    async with playing() as play:
        ana, bojan = [await play.token(play.login_form(user)) for user in play.tenant.users[:2]]
        play.fake.faults.add(Fault(match="/oauth/token", kind=meet, times=None))
        pair = (refresh(play, ana[1]["refresh_token"]), refresh(play, bojan[1]["refresh_token"]))
        await asyncio.gather(*pair)
        assert play.fake.violations == []
        await asyncio.gather(*(refresh(play, ana[1]["refresh_token"]) for _ in range(2)))
        assert play.fake.violations == [f"overlapping refreshes of {play.ana.name}"]


async def test_a_rejected_password_tried_again_is_noticed() -> None:
    async with playing() as play:
        await play.token(play.login_form(password="typo"))
        await play.token(play.login_form(password="other typo"))
        assert play.fake.violations == []
        await play.token(play.login_form(password="typo"))
        assert play.fake.violations == [f"rejected password tried again for {play.ana.name}"]


async def test_who_is_logged_out_or_disabled_gets_no_new_token() -> None:
    async with playing() as play:
        _, body = await play.token(play.login_form())
        play.fake.log_out(play.ana.name)
        assert await refresh(play, body["refresh_token"]) == (400, None, "Session not active")
        play.fake.disable(play.ana.name)
        assert await refresh(play, body["refresh_token"]) == (400, None, "User disabled")
        status, refusal = await play.token(play.login_form())
        assert (status, refusal["error_description"]) == (400, "Account disabled")
        assert (await play.get("/companies", body["access_token"]))[0] == 200


async def test_user_and_admin_tokens_do_not_cross_over() -> None:
    async with playing() as play:
        user, admin = await play.login(), await play.admin_token()
        assert (await play.get("/companies", admin))[0] == 403
        assert (await play.get("/v1.0/admin/things", user))[0] == 403
        assert (await play.get("/v1.0/admin/things", admin))[0] == 200
        client = play.tenant.admin_client
        form = play.login_form(client_id=client.id, client_secret=client.secret)
        assert (await play.token(form))[1]["error"] == "unauthorized_client"


async def test_the_realm_takes_forms_of_its_own_admin_client_only() -> None:
    async with playing() as play:
        form = play.login_form(**CREDENTIALS)
        realm = "/auth/realms/{}/protocol/openid-connect/token"
        assert (await play.token(form, realm.format("acme")))[0] == 401
        assert (await play.token(form, realm.format("globex")))[1]["error"] == "invalid_client"
        assert await play.token(form, realm.format("x")) == (404, {"error": "Realm does not exist"})
        url = play.fake.url + realm.format("acme")
        async with play.http.post(url, json=form) as answer:
            assert answer.status == 415
