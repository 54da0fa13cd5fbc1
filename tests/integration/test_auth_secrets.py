"""Tokens at rest are sealed and bound to their owner, and no secret is told anywhere."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from io import StringIO
from traceback import format_exception
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
import structlog
from aiohttp import web
from fix_platforms import Stage, login, ring, staged
from prometheus_client import generate_latest

from harvester import logs
from harvester.auth import AccountApi, Keeper
from harvester.errors import PlatformError, TokenError
from harvester.model import Credentials
from harvester.simulator.faults import Answer, Fault, html_page, refuse
from harvester.store import credentials
from harvester.store.credentials import SealedToken
from harvester.vault import Keys

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


async def sealed(stage: Stage, user: str) -> SealedToken:
    row = await credentials.load(stage.pool, stage.accounts[user])
    assert row
    return row.token


def keys(stage: Stage, *names: str) -> Keys:
    return Keys(lambda: ring(*names), stage.clock)


async def opens_nothing(stage: Stage, keeper: Keeper) -> bool:
    """Whether what is there is told as broken, costs no call, and stays as it is."""
    calls, account = stage.calls(), stage.accounts
    query = "select * from vault.credential where account_id = any($1) order by 1"
    before = await stage.pool.fetch(query, list(account.values()))
    with pytest.raises(TokenError) as broken:
        await keeper.token()
    after = await stage.pool.fetch(query, list(account.values()))
    return (broken.value.reason, stage.calls(), after) == ("seal_broken", calls, before)


async def test_no_token_lies_open_in_the_database(stage: Stage) -> None:
    token = await (await stage.keeper()).token()
    assert token.refresh_token
    tables = ("vault.credential", "harvester_data.account_lease", "harvester_data.auth_event")
    of_ana = "select * from {} where account_id = $1"
    ana = stage.accounts[stage.ana.name]
    rows = [row for each in tables for row in await stage.pool.fetch(of_ana.format(each), ana)]
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
    await (await stage.keeper()).token()
    assert await opens_nothing(stage, await stage.keeper(deployment="copy"))


async def test_another_accounts_row_opens_nothing(stage: Stage) -> None:
    await (await stage.keeper()).token()
    bojan = login(stage.tenant.users[1])
    await (await stage.keeper(bojan)).token()
    await stage.pool.execute(
        "update vault.credential set access_token = anas.access_token, key_id = anas.key_id"
        " from vault.credential anas"
        " where vault.credential.account_id = $1 and anas.account_id = $2",
        stage.accounts[bojan.user],
        stage.accounts[stage.ana.name],
    )
    assert await opens_nothing(stage, await stage.keeper(bojan))


async def test_one_field_does_not_open_in_the_place_of_another(stage: Stage) -> None:
    await (await stage.keeper()).token()
    await stage.pool.execute(
        "update vault.credential set access_token = refresh_token where account_id = $1",
        stage.accounts[stage.ana.name],
    )
    assert await opens_nothing(stage, await stage.keeper())


async def test_a_lost_key_file_destroys_nothing_and_is_mended_by_its_return(stage: Stage) -> None:
    token = await (await stage.keeper()).token()
    assert await opens_nothing(stage, await stage.keeper(keys=keys(stage, "new")))
    both = await stage.keeper(keys=keys(stage, "new", "k"))
    assert await both.token() == token
    assert stage.calls() == 1


async def test_the_tenants_own_client_gets_in_anew_once_a_person_gives_its_key_up(
    stage: Stage,
) -> None:
    own, new = Credentials(None), keys(stage, "new")
    lost = await (await stage.keeper(own)).token()
    keeper = await stage.keeper(own, keys=new)
    assert await opens_nothing(stage, keeper)
    keeper.try_again()
    assert (token := await keeper.token()) != lost
    assert await (await stage.keeper(own, keys=new)).token() == token
    assert stage.fake.token_calls == {"client_credentials": 2}


async def test_a_retired_key_still_opens_what_it_sealed(stage: Stage) -> None:
    token = await (await stage.keeper()).token()
    keeper = await stage.keeper(keys=keys(stage, "new", "k"))
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
    shown: list[object] = [stage.adapter, stage.client, stage.keys, stage, stage.options]
    typo = login(stage.tenant.users[1], WRONG)
    for each in (login(stage.ana), Credentials(None), Credentials("nobody"), typo):
        keeper = await stage.keeper(each)
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
    assert "well again" in told.getvalue() and "failing" in told.getvalue()
