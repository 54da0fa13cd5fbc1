"""The fake Usergrid: what befalls an account, and what a good client never does to it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from simulated_usergrid import MANAGEMENT, ME, REFUSED, TOKEN, playing

from harvester.simulator.faults import Answer, Fault, html_page, refuse
from harvester.simulator.usergrid import options
from harvester.simulator.usergrid_logins import application_client
from harvester.simulator.usergrid_quirks import (
    Switches,
    inner_failure,
    unauthorized,
    without_token,
)

ADMIN = "/management/me"
HOUR = timedelta(hours=1)


def refused(words: str) -> dict[str, str]:
    return REFUSED | {"error_description": words}


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_one_token_or_all_of_a_user_end_at_the_users_own_instance(method: str) -> None:
    async with playing() as play:
        first, second, admin = [await play.login(path) for path in (TOKEN, TOKEN, MANAGEMENT)]
        path = f"/acme/plant7/users/me/revoketoken?token={first}"
        status, body = await play.send(method, path, first)
        assert status == 200 and body["action"] == "revoked user token"
        assert await play.why_not(first) == "auth_invalid"
        assert (await play.why_not(second), await play.why_not(admin, ADMIN)) == ("", "")
        path = f"/management/users/{play.ana.name}/revoketoken?token={admin}"
        assert (await play.send(method, path, admin))[0] == 200
        assert await play.why_not(admin, ADMIN) == "auth_invalid"
        assert (await play.send(method, "/acme/plant7/users/ana/revoketokens", second))[0] == 200
        assert await play.why_not(second) == "auth_invalid"


async def test_nobody_ends_the_tokens_of_another_and_some_not_even_their_own() -> None:
    async with playing() as play:
        access = await play.login()
        bojan = play.acme.users[1]
        other = await play.login(username=bojan.name, password=bojan.password)
        for who, bearer in (
            (f"acme/plant7/users/{play.ana.id}", other),
            ("management/users/me", access),
        ):
            status, body = await play.send("POST", f"/{who}/revoketoken?token={access}", bearer)
            assert (status, body["error"]) == (401, "unauthorized")
        elsewhere = f"/globex/plant7/users/me/revoketoken?token={access}"
        assert (await play.send("POST", elsewhere, access))[0] == 401
        assert await play.why_not(access) == ""
        assert (await play.send("POST", "/acme/plant7/users/me/revoketoken", access))[0] == 400
    async with playing(Switches(guarded=True)) as play:
        access = await play.login()
        path = f"/acme/plant7/users/me/revoketoken?token={access}"
        assert (await play.send("POST", path, access))[1]["error"] == "unauthorized"
        assert (await play.why_not(access), await play.why_not(access, "/acme/plant7")) == (
            "",
            "unauthorized",
        )


async def test_who_is_disabled_goes_on_in_the_application_and_who_is_deactivated_does_not() -> None:
    async with playing() as play:
        access, admin = await play.login(), await play.login(MANAGEMENT)
        play.fake.disable(play.ana.name)
        assert await play.token() == (400, refused("user disabled"))
        assert await play.token(password="typo") == (400, REFUSED)
        assert (await play.why_not(access), await play.why_not(admin, ADMIN)) == (
            "",
            "auth_invalid",
        )
        play.fake.deactivate(play.ana.name)
        assert await play.token() == (400, refused("user not activated"))
        assert await play.why_not(access) == "auth_invalid"


async def test_an_unconfirmed_admin_is_a_confirmed_user() -> None:
    async with playing() as play:
        play.fake.unconfirm(play.ana.name)
        words = "User must be confirmed to authenticate"
        assert await play.token(MANAGEMENT) == (403, refused(words))
        assert (await play.token())[0] == 200


async def test_a_new_password_leaves_the_tokens_and_a_removed_user_leaves_none() -> None:
    async with playing() as play:
        access = await play.login()
        play.fake.change_password(play.ana.name, "new")
        assert await play.token() == (400, REFUSED)
        assert (await play.token(password="new"))[0] == 200
        assert await play.why_not(access) == ""
        play.fake.revoke(play.ana.name)
        assert await play.why_not(access) == "auth_invalid"
        access = await play.login(password="new")
        play.fake.remove(play.ana.name)
        assert await play.why_not(access) == "auth_bad_access_token"
        assert await play.token(password="new") == (400, REFUSED)


@pytest.mark.parametrize("how", ["illegal_argument", "invalid_grant"])
async def test_admin_users_may_have_to_log_in_elsewhere(how: Any) -> None:
    async with playing(Switches(external_login=how)) as play:
        status, body = await play.token(MANAGEMENT)
        assert (status, body["error"]) == (400, how)
        assert body["error_description"].startswith("External SSO integration is enabled")
        assert (await play.token())[0] == 200
        assert (await play.client(application_client(play.acme), MANAGEMENT))[0] == 200


async def test_an_installation_may_say_more_than_it_must() -> None:
    async with playing(Switches(application_as="object", talkative=True)) as play:
        _, body = await play.client(application_client(play.acme))
        assert body["token_type"] == "Bearer" and "mood" in body
        assert body["application"]["metadata"]["collections"] == ["devices", "roles", "users"]


async def test_the_platforms_clock_may_be_ahead() -> None:
    async with playing(Switches(clock_skew=HOUR)) as play:
        play.fake.faults.add(Fault(ME, refuse(401)))
        _, body = await play.send("GET", ME)
        assert body["timestamp"] == int((play.clock.now() + HOUR).timestamp() * 1000)


async def test_planned_faults_speak_in_the_platforms_words() -> None:
    async with playing() as play:
        faults = play.fake.faults
        faults.add(Fault(TOKEN, inner_failure()))
        assert await play.token() == (400, REFUSED)
        faults.add(Fault(TOKEN, without_token()))
        assert set((await play.token())[1]) == {"expires_in", "user"}
        access = await play.login()
        faults.add(Fault(ME, unauthorized("unauthorized")))
        assert [await play.why_not(access) for _ in range(2)] == ["unauthorized", ""]
        for status, code in ((401, "auth_invalid"), (500, "runtime"), (404, "entity_not_found")):
            faults.add(Fault(ME, refuse(status)))
            found, body = await play.send("GET", ME, access)
            assert (found, body["error"]) == (status, code)
        assert play.fake.violations == []


async def test_a_page_for_people_stands_in_for_a_login() -> None:
    async with playing() as play:
        play.fake.faults.add(Fault("POST ", html_page()))
        async with play.http.post(play.fake.url + TOKEN, json=play.password()) as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
        assert play.fake.token_calls == {"password": 1}


async def test_a_rejected_password_tried_again_is_noticed() -> None:
    async with playing() as play:
        await play.token(password="typo")
        await play.token(password="other typo")
        assert play.fake.violations == []
        await play.token(password="typo")
        assert play.fake.violations == [f"rejected password tried again for {play.ana.name}"]


async def test_logins_of_one_account_that_overlap_are_noticed() -> None:
    both_are_in = asyncio.Barrier(2)

    async def meet(request: web.Request, honest: Answer) -> web.StreamResponse:
        await both_are_in.wait()
        return await honest(request)

    async with playing() as play:
        play.fake.faults.add(Fault(TOKEN, meet, times=None))
        bojan = play.acme.users[1]
        await asyncio.gather(play.token(), play.token(username=bojan.name))
        assert play.fake.violations == []
        await asyncio.gather(play.token(), play.token())
        assert play.fake.violations == [f"overlapping logins of {play.ana.name}"]


async def test_the_options_reach_the_tenant() -> None:
    async with playing() as play:
        found = options(play.acme, play.fake.url)
        path = f"/{found['organization']}/{found['application']}/token"
        asked = {"grant_type": "client_credentials"}
        client = {key: str(found[key]) for key in ("client_id", "client_secret")}
        assert (await play.send("POST", path, json=asked | client))[0] == 200
