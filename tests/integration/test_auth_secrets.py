"""Tokens at rest are sealed and bound to their owner, and no secret is told anywhere."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from traceback import format_exception
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
import structlog
from aiohttp import web
from fix_platforms import Stage, login, staged
from prometheus_client import generate_latest

from harvester import logs
from harvester.auth import AccountApi, Keeper
from harvester.errors import PlatformError
from harvester.model import Credentials, Token
from harvester.simulator.faults import Answer, Fault, html_page, refuse
from harvester.store import tokens
from harvester.vault import KeyRing

if TYPE_CHECKING:
    from harvester.store.pool import Pool

WRONG = "wr&ng pässword"


@pytest.fixture
async def stage(pool: "Pool") -> AsyncIterator[Stage]:
    async with staged("mydevices", pool) as stage:
        yield stage


@pytest.fixture
def told() -> Iterator[StringIO]:
    """All that is logged, by whomever, from DEBUG up."""
    root, ours = logging.getLogger(), logging.getLogger("harvester")
    before = root.handlers, root.level, ours.level
    logs.set_up(stream=(stream := StringIO()))
    root.setLevel(logging.DEBUG)
    ours.setLevel(logging.DEBUG)
    yield stream
    root.handlers = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])
    structlog.reset_defaults()


async def sealed(stage: Stage, user: str) -> tokens.SealedToken:
    row = await tokens.load(stage.pool, stage.accounts[user])
    assert row
    return row


async def logged_in_again(stage: Stage, keeper: Keeper, before: Token) -> bool:
    calls = stage.fake.token_calls["password"]
    token = await keeper.token()
    assert token.access_token != before.access_token
    return stage.fake.token_calls == {"password": calls + 1}


async def test_no_token_lies_open_in_the_database(stage: Stage) -> None:
    token = await (await stage.keeper()).token()
    assert token.refresh_token
    rows = await stage.pool.fetch("select * from vault.token, harvester_data.account_lease")
    at_rest = b"".join(
        cell if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row
    )
    for secret in (token.access_token, token.refresh_token, stage.ana.password):
        for part in (secret, *secret.split(".")):
            assert part.encode() not in at_rest
    row = await sealed(stage, stage.ana.name)
    assert (
        row.access_token and row.refresh_token and len(row.access_token) > len(token.access_token)
    )


async def test_a_copy_of_the_database_opens_nothing_in_another_deployment(stage: Stage) -> None:
    token = await (await stage.keeper()).token()
    assert await logged_in_again(stage, await stage.keeper(deployment="copy"), token)


async def test_another_accounts_row_opens_nothing(stage: Stage) -> None:
    anas = await (await stage.keeper()).token()
    bojan = login(stage.tenant.users[1])
    token = await (await stage.keeper(bojan)).token()
    row = replace(await sealed(stage, stage.ana.name), generation=7)
    await stage.pool.execute(
        "delete from vault.token where account_id = $1", stage.accounts[bojan.user]
    )
    fence = 1
    await tokens.save(stage.pool, stage.accounts[bojan.user], fence, row)
    keeper = await stage.keeper(bojan)
    assert await logged_in_again(stage, keeper, token)
    assert (await keeper.token()).access_token != anas.access_token
    assert (await sealed(stage, str(bojan.user))).generation == 8


async def test_a_lost_key_file_costs_a_login_and_no_more(stage: Stage) -> None:
    token = await (await stage.keeper()).token()
    new = KeyRing({"new": b"n" * 32})
    assert await logged_in_again(stage, await stage.keeper(ring=new), token)
    calls = stage.calls()
    both = KeyRing({"k": b"k" * 32, "new": b"n" * 32})
    assert await (await stage.keeper(ring=both)).token()
    assert stage.calls() == calls


async def test_a_retired_key_still_opens_what_it_sealed(stage: Stage) -> None:
    token = await (await stage.keeper()).token()
    ring = KeyRing({"new": b"n" * 32, "k": b"k" * 32})
    keeper = await stage.keeper(ring=ring)
    adopted = await keeper.token()
    assert adopted == token
    await keeper.replace(adopted)
    assert (await sealed(stage, stage.ana.name)).key_id == "new"


class Wiretap:
    """Hears every token that the platform gives, and every credential that is sent for it."""

    def __init__(self, stage: Stage) -> None:
        self.secrets = {stage.tenant.user_client.secret, stage.tenant.admin_client.secret}
        self.secrets |= {user.password for user in stage.tenant.users} | {WRONG}

    async def __call__(self, request: web.Request, honest: Answer) -> web.StreamResponse:
        answer = await honest(request)
        assert isinstance(answer, web.Response) and answer.text
        told = json.loads(answer.text)
        for token in (told["access_token"], told["refresh_token"]):
            body = token.partition(".")[2]  # what stands before is the same for all
            self.secrets |= {body[at : at + 24] for at in range(0, len(body) - 24, 24)}
        return answer

    def heard_in(self, text: str) -> set[str]:
        """Which secrets stand there, in any of their spellings."""
        spellings = (str, quote, quote_plus, lambda secret: json.dumps(secret)[1:-1], repr)
        return {s for s in self.secrets if any(spell(s).strip("'") in text for spell in spellings)}


async def live(stage: Stage) -> list[object]:
    """Weeks of an account with all that can go wrong; what it shows of itself, and its errors."""
    shown: list[object] = [stage.adapter, stage.client, stage.ring, stage]
    typo = login(stage.tenant.users[1], WRONG)
    for credentials in (login(stage.ana), Credentials(None), Credentials("nobody"), typo):
        keeper = await stage.keeper(credentials)
        api = AccountApi(keeper, stage.client)
        for kind in (None, refuse(401), refuse(403), html_page(), garbled):
            if kind:
                stage.fake.faults.add(Fault("GET ", kind, times=2))
                stage.fake.faults.add(Fault("POST ", kind, times=1))
            try:
                shown.append(await api.get("/companies"))
            except PlatformError as error:
                shown += [error, *error.__dict__.values(), "".join(format_exception(error))]
            stage.clock.advance(timedelta(hours=23, minutes=58))
        shown += [keeper, api, *vars(keeper).values()]
    return shown


async def garbled(request: web.Request, _honest: Answer) -> web.StreamResponse:
    """A debug page: it says again what it was sent."""
    said = f"{request.headers.get('Authorization')} {await request.text()}"
    return web.Response(text=said, content_type="text/html", status=200)


async def test_no_secret_is_told_by_logs_errors_metrics_or_representations(
    stage: Stage, told: StringIO
) -> None:
    tap = Wiretap(stage)
    stage.fake.faults.add(Fault("POST ", tap, times=None))
    shown = await live(stage)
    row = await sealed(stage, stage.ana.name)
    everything = [*map(repr, shown), *map(str, shown), repr(row), told.getvalue()]
    assert len(tap.secrets) > 20
    assert tap.heard_in("\n".join(everything)) == set()
    assert tap.heard_in(generate_latest().decode()) == set()
    assert "logging in again" in told.getvalue() and "failing" in told.getvalue()
