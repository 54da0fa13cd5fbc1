"""The fake Coiote logs in, expires, locks, invalidates and refuses for real."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import FormData, web
from simulated_coiote import INVALIDATE, LOGIN, NOW, REALM, Play, playing

from harvester.client import Bearer
from harvester.simulator.coiote_auth import BAD_CLIENT
from harvester.simulator.coiote_quirks import QUIRKS, Lifetime, Switches
from harvester.simulator.faults import Answer, Fault

LIFE = timedelta(seconds=300)
LOCK = timedelta(seconds=900)


async def test_every_user_logs_in_and_sees_what_is_shared_with_him() -> None:
    async with playing() as play:
        for user in play.tenant.users:
            status, body = await play.post(
                play.login_form(username=user.name, password=user.password)
            )
            assert status == 201
            assert (body["token_type"], body["expires_in"]) == ("Bearer", "300")
            assert body.keys() == {"access_token", "token_type", "expires_in"}
            things = {thing.uuid for thing in play.tenant.things if user.name in thing.seen_by}
            reads = await play.client.get("/api/coiotedm/v3/devices", None, bearing(body))
            assert isinstance(reads, list) and set(reads) == things
        assert play.fake.token_calls == {"password": 3}
        assert play.fake.violations == []


def bearing(body: Any) -> Bearer:
    async def bearer() -> str:
        return str(body["access_token"])

    return bearer


async def test_a_login_without_a_grant_type_is_one_by_password() -> None:
    async with playing() as play:
        assert (await play.post(play.login_form(grant_type=None)))[0] == 201
        assert play.fake.token_calls == {"password": 1}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"password": "p&w"}, 401),
        ({"username": "eve@acme.example"}, 401),
        ({"password": None}, 400),
        ({"username": None}, 400),
        ({"grant_type": "client_credentials"}, 400),
    ],
)
async def test_a_login_is_refused_in_the_platforms_form(
    changes: dict[str, str | None], status: int
) -> None:
    async with playing() as play:
        told, body = await play.post(play.login_form(**changes))
        assert (told, body["code"], body.keys()) == (status, status * 10, {"message", "code"})
    async with playing(Switches(errors="error", refused_login=400)) as play:
        told, body = await play.post(play.login_form(**changes))
        assert (told, body.keys()) == (400, {"error"})


async def test_a_refusal_may_have_no_words_or_be_a_page() -> None:
    async with playing(Switches(errors="empty")) as play:
        assert await play.post(play.login_form(password="no")) == (401, "")
    async with playing(Switches(errors="html")) as play:
        assert "<h1>401" in (await play.post(play.login_form(password="no")))[1]


async def test_what_is_no_form_is_refused() -> None:
    async with playing() as play:
        url, form = play.fake.url + LOGIN, play.login_form()
        in_parts = FormData(form, default_to_multipart=True)
        for request in (play.http.post(url, json=form), play.http.post(url, data=in_parts)):
            async with request as answer:
                assert answer.status == 400


@pytest.mark.parametrize(
    ("spelling", "told"),
    [("int", 300), ("float", 300.0), ("zero", 0), ("absurd", 10**15), ("word", "soon")],
)
async def test_a_life_may_be_told_in_other_ways(spelling: Lifetime, told: object) -> None:
    switches = Switches(expires_in=spelling, status=200, refresh_token=True)
    async with playing(switches) as play:
        status, body = await play.post(play.login_form())
        assert (status, body["expires_in"], type(body["expires_in"])) == (200, told, type(told))
        assert {"refresh_token", "refresh_expires_in"} <= body.keys()
        assert (await play.post(play.service_form, REALM.format("acme")))[1]["expires_in"] == told


async def test_an_access_token_ends_on_the_worlds_clock() -> None:
    async with playing() as play:
        access = await play.token()
        play.clock.advance(LIFE - timedelta(seconds=1))
        assert await play.status(access) == 200
        play.clock.advance(timedelta(seconds=1))
        assert await play.status(access) == await play.status("invented") == 401
        assert await play.status(None) == 401


async def test_a_token_that_slides_lives_on_while_it_is_used() -> None:
    async with playing(Switches(slides=True, jwt=False)) as play:
        access = await play.token()
        assert "." not in access
        for _ in range(3):
            play.clock.advance(LIFE - timedelta(seconds=1))
            assert await play.status(access) == 200
        play.clock.advance(LIFE)
        assert await play.status(access) == 401


async def test_a_skewed_platform_tells_its_own_time() -> None:
    async with playing(Switches(clock_skew=timedelta(hours=1))) as play:
        assert play.fake.tokens.now() == NOW + timedelta(hours=1)
        assert await play.status(await play.token()) == 200


async def test_bad_tries_in_a_row_lock_the_account_for_a_while() -> None:
    async with playing(Switches(lock_after=3)) as play:
        for two in ("ab", "cd"):
            for typo in two:
                await play.post(play.login_form(password=typo))
            assert (await play.post(play.login_form()))[0] == 201  # begins the row anew
        for typo in "efg":
            await play.post(play.login_form(password=typo))
        assert (await play.post(play.login_form()))[0] == 401
        play.clock.advance(LOCK)
        assert (await play.post(play.login_form()))[0] == 201
        assert play.fake.violations == []


async def test_a_rejected_password_tried_again_is_noticed() -> None:
    async with playing() as play:
        for typo in ("typo", "other typo", "typo"):
            await play.post(play.login_form(password=typo))
        assert play.fake.violations == [f"rejected password tried again for {play.ana.name}"]


async def test_a_login_with_a_token_beside_it_is_noticed() -> None:
    async with playing() as play:
        headers = {"Authorization": "Bearer x"}
        await play.http.post(play.fake.url + LOGIN, data=play.login_form(), headers=headers)
        assert play.fake.violations == ["an Authorization header sent with a login"]


async def test_logins_of_one_account_that_overlap_are_noticed() -> None:
    both_are_in = asyncio.Barrier(2)

    async def meet(request: web.Request, honest: Answer) -> web.StreamResponse:
        await both_are_in.wait()
        return await honest(request)

    async with playing() as play:
        play.fake.faults.add(Fault(LOGIN, meet, times=None))
        bojan = play.tenant.users[1]
        other = play.login_form(username=bojan.name, password=bojan.password)
        await asyncio.gather(play.post(play.login_form()), play.post(other))
        assert play.fake.violations == []
        await asyncio.gather(*(play.post(play.login_form()) for _ in range(2)))
        assert play.fake.violations == [f"overlapping logins of {play.ana.name}"]


async def test_a_service_account_sees_all_of_its_tenant() -> None:
    async with playing() as play:
        status, body = await play.post(play.service_form, REALM.format("acme"))
        assert (status, body["expires_in"]) == (200, 300)
        seen = await play.client.get("/api/coiotedm/v3/devices", None, bearing(body))
        assert seen == [thing.uuid for thing in play.tenant.things]
        assert play.fake.token_calls == {"client_credentials": 1}


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "guess"}, 401, "unauthorized_client"),
        ({"client_id": "globex"}, 401, "unauthorized_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"subject_token": "guess"}, 400, "invalid_token"),
        ({"subject_token_type": "guess"}, 400, "invalid_request"),
    ],
)
async def test_the_realm_refuses_in_keycloaks_words(
    changes: dict[str, str], status: int, error: str
) -> None:
    async with playing() as play:
        path = REALM.format("acme")
        assert (await play.post(play.exchange_form, path))[0] == 200
        told, body = await play.post(play.exchange_form | changes, path)
        assert (told, body["error"], "error_description" in body) == (status, error, True)
        assert (await play.post(play.exchange_form, REALM.format("globex")))[0] == 401
        nowhere = (404, {"error": "Realm does not exist"})
        assert await play.post(play.service_form, REALM.format("x")) == nowhere


async def invalidated(play: Play, body: object) -> int:
    async with play.http.post(play.fake.url + INVALIDATE, json=body) as answer:
        return answer.status


async def test_a_token_that_was_invalidated_is_at_its_end() -> None:
    async with playing() as play:
        access, other = await play.token(), await play.token()
        assert await invalidated(play, {"token": access}) == 204
        assert (await play.status(access), await play.status(other)) == (401, 200)
        assert await invalidated(play, [access]) == 400
        assert play.fake.token_calls == {"password": 2, "invalidate_token": 2}
    async with playing(Switches(invalidates=False)) as play:
        assert await invalidated(play, {"token": await play.token()}) == 404


async def test_an_account_can_be_disabled_revoked_and_forbidden() -> None:
    async with playing() as play:
        access = await play.token()
        play.fake.disable(play.ana.name)
        assert (await play.post(play.login_form()))[0] == 401
        assert await play.status(access) == 200
        play.fake.forbid(play.ana.name)
        assert await play.status(access) == 403
        play.fake.revoke(play.ana.name)
        assert await play.status(access) == 401
        play.fake.disable("acme")
        disabled = await play.post(play.service_form, REALM.format("acme"))
        assert disabled[1] == {"error": "invalid_client", "error_description": BAD_CLIENT}


async def test_a_token_by_hand_ends_when_its_user_chose() -> None:
    async with playing() as play:
        access = play.fake.token_by_hand(play.ana.name, timedelta(days=30))
        play.clock.advance(timedelta(days=29))
        assert await play.status(access) == 200
        play.clock.advance(timedelta(days=1))
        assert await play.status(access) == 401
        with pytest.raises(KeyError):
            play.fake.token_by_hand("eve@acme.example", LIFE)


@pytest.mark.parametrize("quirk", QUIRKS)
async def test_in_every_quirk_a_login_gives_a_token_that_is_good(quirk: str) -> None:
    async with playing(QUIRKS[quirk]) as play:
        assert await play.status(await play.token()) == 200
