"""Whom a platform refuses: one call tells, it is kept, and what was mended serves at once."""

import ast
import asyncio
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest
from accessed import adapters, counted, known_reasons, log_in, people, serves, standing
from fix_platforms import NOW, Stage, login
from prometheus_client import REGISTRY
from pydantic import SecretStr
from structlog.testing import capture_logs
from told import ToldExchange

from harvester import metrics, platforms
from harvester.auth import Keeper, Shared
from harvester.auth.life import PROBE_EVERY, RENEWAL
from harvester.errors import (
    ClientRefused,
    CredentialRefused,
    PlatformError,
    RequestRefused,
    TokenError,
)
from harvester.model import Credentials, Token
from harvester.platforms.base import Access

PLATFORMS = platforms.names()
ASPECT = "access"
HOUR = timedelta(hours=1)
WRONG = "wr&ng+%"
ENDED = "eyJhbGciOiJub25lIn0.eyJleHAiOiAxfQ.x"
"""A JWT that says it ended in 1970."""


async def told(keeper: Keeper, times: int = 20) -> set[type[Token | BaseException]]:
    """What so many who ask at once are given."""
    asking = (keeper.token() for _ in range(times))
    return {type(each) for each in await asyncio.gather(*asking, return_exceptions=True)}


async def test_a_wrong_password_is_told_without_showing_it(quirky: Stage) -> None:
    with pytest.raises(CredentialRefused) as refusal:
        await log_in(quirky, login(quirky.ana, WRONG))
    assert refusal.value.reason == "bad_credentials"
    assert "wr&ng" not in str(refusal.value) and "wr%26ng" not in str(refusal.value)


async def test_a_wrong_password_is_sent_once_and_the_right_one_at_once(quirky: Stage) -> None:
    wrong = login(quirky.ana, WRONG)
    keeper = await quirky.keeper(wrong)
    for _ in range(3):
        assert await told(keeper) == {CredentialRefused}
        assert await told(await quirky.keeper(wrong)) == {CredentialRefused}, "after a restart"
        quirky.clock.advance(PROBE_EVERY / 4)
    assert quirky.calls() == 1
    assert await standing(quirky, quirky.ana.name) == ("quarantined", "bad_credentials")
    assert await serves(quirky, await (await quirky.keeper()).token())
    assert await standing(quirky, quirky.ana.name) == ("active", None)
    assert quirky.fake.violations == []


async def test_who_is_disabled_is_left_alone_until_that_is_mended_and_tried_again(
    quirky: Stage,
) -> None:
    keeper = await quirky.keeper()
    token = await keeper.token()
    quirky.fake.disable(quirky.ana.name)
    with pytest.raises(TokenError):
        await keeper.replace(token)
    calls = quirky.calls()
    for _ in range(3):
        assert await told(keeper) <= {CredentialRefused, Token}, "a token may serve on"
        quirky.clock.advance(PROBE_EVERY / 4)
    assert quirky.calls() == calls
    assert (await standing(quirky, quirky.ana.name))[0] == "quarantined"
    quirky.fake.enable(quirky.ana.name)
    keeper.try_again()
    assert await serves(quirky, await keeper.replace(token))
    assert quirky.fake.violations == []


def with_wrong_secrets(stage: Stage) -> Stage:
    """The same tenant, configured wrong."""
    secrets = [key for key, value in stage.options if isinstance(value, SecretStr)]
    options = stage.options.model_copy(update=dict.fromkeys(secrets, SecretStr(WRONG)))
    return replace(stage, options=options, adapter=type(stage.adapter)(options))


@pytest.mark.parametrize("whose", ["the users'", "the tenant's own"])
async def test_a_wrong_client_is_met_by_one_account_and_told_once(stage: Stage, whose: str) -> None:
    users = [login(user) for user in stage.tenant.users]
    accounts = users if whose == "the users'" else people(stage)[1:]
    wrong, shared = with_wrong_secrets(stage), Shared()
    keepers = [await wrong.keeper(who, shared=shared) for who in accounts]
    with capture_logs() as logs:
        results = [*await asyncio.gather(*map(told, keepers)), *[await told(k) for k in keepers]]
    if {Token} in results or not keepers:  # no client has a part in it
        assert {Token, *set().union(*results)} == {Token}
        return
    assert set().union(*results) == {ClientRefused}
    assert stage.calls() == 1
    assert [each["what"] for each in logs if each["log_level"] == "warning"] == ["acme client"]
    mended = Shared()
    for who in accounts:
        token = await (await stage.keeper(who, shared=mended)).token()
        assert await serves(stage, token, who)
    assert stage.fake.violations == []


def texts(platform: str) -> set[str]:
    """All that stands in an adapter's code: the words by which it knows a refusal among it."""
    spec = find_spec(f"harvester.platforms.{platform}")
    assert spec and spec.origin
    file = Path(spec.origin)
    files = file.parent.glob("*.py") if file.stem == "__init__" else [file]
    nodes = (node for each in files for node in ast.walk(ast.parse(each.read_bytes())))
    said = (node.value for node in nodes if isinstance(node, ast.Constant))
    return {text for text in said if isinstance(text, str)} | {"words that nobody foresaw"}


def refusals(text: str) -> Iterator[ToldExchange]:
    bodies = ({"error": text}, {"error": "invalid_grant", "error_description": text})
    coded = {"error": "illegal_argument", "error_description": text}
    for status in (400, 401, 403, 404):
        for body in (*bodies, coded, {"message": text}, None):
            yield ToldExchange(RequestRefused("no", status, body))


def ways_in(adapter: Access, user: str) -> Iterator[Credentials]:
    """Everything that a login may be made with."""
    yield Credentials(user, "password")
    for kind in adapter.takes - {"password"}:
        yield Credentials(user, **{kind: ENDED})
    if adapter.own_client:
        yield Credentials(None)


async def reason(asked: Awaitable[Token]) -> set[str]:
    try:
        await asked  # a configured token is taken as it is
    except PlatformError as error:
        return {error.reason}
    return set()


async def test_every_reason_of_a_refusal_is_known_beforehand(stage: Stage) -> None:
    reasons: set[str] = set()
    held = Token("access", refresh_token="refresh")
    for adapter in adapters(stage):
        ways = list(ways_in(adapter, stage.ana.name))
        for text in await asyncio.to_thread(texts, stage.platform):
            for refusal in refusals(text):
                asked = [adapter.login(refusal, each, NOW) for each in ways]
                for each in (*asked, adapter.renew(refusal, held, NOW)):
                    reasons |= await reason(each)
    assert reasons <= known_reasons(stage.adapter)
    assert set(stage.adapter.token_reasons) <= reasons, "a series that never moves"


async def test_each_login_has_a_grant_that_is_no_renewals(stage: Stage) -> None:
    logins = set(metrics.GRANTS) - {RENEWAL}
    for adapter in adapters(stage):
        assert {adapter.grant(way) for way in ways_in(adapter, stage.ana.name)} <= logins


async def test_no_metric_names_a_user(stage: Stage) -> None:
    for credentials in (login(stage.ana, WRONG), *people(stage)):
        await told(await stage.keeper(credentials))
    labels = {
        label
        for metric in REGISTRY.collect()
        for sample in metric.samples
        for label in sample.labels.values()
    }
    assert counted("token_failures", stage) > 0
    private = {user.name for user in stage.tenant.users} | {WRONG}
    assert not any(part in label for part in private for label in labels)
