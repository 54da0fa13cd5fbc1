"""A proxy that refuses with a page of its own: a renewal that it refused says nothing for sure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from accessed import standing
from aiohttp import web
from fix_platforms import Stage, login, staged
from persons import log_in

from harvester.auth.held import LONGEST_BACKOFF
from harvester.auth.life import MOST_TRIES
from harvester.errors import CredentialRefused, RenewalRefused
from harvester.model import Credentials
from harvester.platforms.mydevices import Adapter
from harvester.platforms.mydevices.options import MyDevicesOptions
from harvester.simulator.faults import Answer, Fault

if TYPE_CHECKING:
    from harvester.store.pool import Pool

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


class Daily(Adapter):
    """Logs in by the day, so that a refused password is known while the token serves."""

    login_lasts = DAY


@pytest.fixture
async def stage(pool: Pool) -> AsyncIterator[Stage]:
    """Ana has been logged in by hand, and her access token has ended."""
    async with staged("mydevices", pool, quirk="rotating refresh tokens") as stage:
        await log_in(stage)
        stage.clock.advance(DAY)
        yield stage


async def page(_request: web.Request, _honest: Answer) -> web.StreamResponse:
    text = "<html>401 Authorization Required</html>"
    return web.Response(text=text, status=401, content_type="text/html")


def refuses(stage: Stage, times: int | None = None) -> Fault:
    return stage.fake.faults.add(Fault("POST ", page, times=times))


async def test_where_there_is_a_password_it_goes_in_at_once(stage: Stage) -> None:
    keeper = await stage.keeper()
    refuses(stage, times=1)
    assert await keeper.token()
    assert stage.fake.token_calls == {"password": 2, "refresh_token": 1}


async def test_a_refresh_token_that_is_all_there_is_serves_after_the_proxy(stage: Stage) -> None:
    keeper, proxy = await stage.keeper(Credentials(stage.ana.name)), refuses(stage)
    for _ in range(5):
        with pytest.raises(RenewalRefused):
            await keeper.token()
        assert await standing(stage, stage.ana.name) == ("active", None)
        stage.clock.advance(LONGEST_BACKOFF)
    proxy.times = 0
    assert await keeper.token()
    assert stage.fake.violations == []


async def test_it_stops_no_account_whose_password_alone_was_refused_before(stage: Stage) -> None:
    assert isinstance(stage.options, MyDevicesOptions)
    wrong, daily = login(stage.ana, "wrong"), Daily(stage.options)
    keeper = await stage.keeper(wrong, adapter=daily)
    token = await keeper.token()
    proxy = refuses(stage)
    for _ in range(5):
        with pytest.raises(RenewalRefused):
            await keeper.replace(token)
        stage.clock.advance(LONGEST_BACKOFF)
    proxy.times = 0
    assert await keeper.replace(token)
    assert stage.fake.token_calls["password"] == 2


async def test_where_it_refuses_the_login_too_both_are_looked_at_by_the_half_day(
    stage: Stage,
) -> None:
    keeper, proxy, days = await stage.keeper(login(stage.ana, "wrong")), refuses(stage), 6
    for _ in range(days * 24 * 6):
        with pytest.raises((CredentialRefused, RenewalRefused)):
            await keeper.token()
        stage.clock.advance(10 * MINUTE)
    assert await standing(stage, stage.ana.name) == ("quarantined", "bad_credentials")
    assert MOST_TRIES + 2 * days - 3 <= proxy.fired <= MOST_TRIES + 2 * days
    assert keeper.tries_left == 0
