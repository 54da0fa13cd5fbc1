"""What a 401 of Usergrid costs: a dead token one login, and a missing permission none."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from accessed import OWN, standing
from aiohttp import web
from befallen import says
from exchanged import LeapClock
from fix_platforms import LARGEST_BODY, NOW, Stage, options_of, staged
from hypothesis import HealthCheck, given, settings, strategies as st

from harvester.auth import AccountApi
from harvester.auth.held import LONGEST_BACKOFF
from harvester.client import Client
from harvester.errors import Forbidden, PlatformError, TokenError
from harvester.platforms.usergrid import Adapter, tokens
from harvester.platforms.usergrid.options import UsergridOptions
from harvester.simulator import usergrid
from harvester.simulator.faults import Answer, Fault, Kind, html_page, oversized, refuse
from harvester.simulator.usergrid import FakeUsergrid
from harvester.simulator.usergrid_quirks import unauthorized

if TYPE_CHECKING:
    from harvester.store.pool import Pool

READ = "/acme/plant7"
"""What a user may read unless the installation is guarded."""
A_READ, A_PROBE = re.compile(r"^GET /acme/plant7$"), re.compile(r"^GET /acme/plant7/users/me$")
NO_PERMISSION, DEAD = unauthorized("unauthorized"), unauthorized("auth_invalid")
A_PAGE = says("<h1>401</h1>", status=401)
HOUR = timedelta(hours=1)


@pytest.fixture
async def stage(pool: "Pool") -> AsyncIterator[Stage]:
    """Its clock leaps to wherever a read waits until."""
    async with staged("usergrid", pool) as stage:
        clock = LeapClock(NOW)
        settings: dict[str, Any] = {"tenant": "acme", "platform": "usergrid", "concurrency": 64}
        client = Client(stage.fake.url, clock, largest_body=LARGEST_BODY, **settings)
        async with client:
            yield replace(stage, client=client)
        assert stage.fake.violations == []


def fake(stage: Stage) -> FakeUsergrid:
    assert isinstance(stage.fake, FakeUsergrid)
    return stage.fake


def guard(stage: Stage, *, on: bool) -> None:
    """Take the users' permissions, or give them back."""
    fake(stage).switches = replace(fake(stage).switches, guarded=on)


def befall(stage: Stage, match: re.Pattern[str], kind: Kind, times: int | None = None) -> Fault:
    return stage.fake.faults.add(Fault(match, kind, times))


async def honestly(request: web.Request, honest: Answer) -> web.StreamResponse:
    return await honest(request)


def refusing(header: str, code: str) -> Kind:
    """The honest answer, but to one token a 401 with this code."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        refused = request.headers.get("Authorization") == header
        return await (unauthorized(code) if refused else honestly)(request, honest)

    return kind


async def outcome(api: AccountApi) -> str:
    try:
        await api.get(READ)
    except PlatformError as error:
        return error.reason
    return "answered"


@pytest.mark.parametrize(
    ("read", "probe", "told", "logins"),
    [
        (NO_PERMISSION, None, {"forbidden": 9}, 1),
        (NO_PERMISSION, oversized(LARGEST_BODY + 1), {"forbidden": 9}, 1),
        (NO_PERMISSION, NO_PERMISSION, {"forbidden": 9}, 2),
        (NO_PERMISSION, refuse(403), {"forbidden": 9}, 2),
        (NO_PERMISSION, refuse(404), {"forbidden": 9}, 2),
        (NO_PERMISSION, DEAD, {"forbidden": 9}, 2),
        (NO_PERMISSION, A_PAGE, {"forbidden": 9}, 2),
        (NO_PERMISSION, refuse(500), {"server_failed": 9}, 1),
        (A_PAGE, None, {"forbidden": 9}, 1),
        (A_PAGE, NO_PERMISSION, {"unauthorized_after_refresh": 1, "forbidden": 8}, 2),
        (A_PAGE, A_PAGE, {"unauthorized_after_refresh": 9}, 2),
        (A_PAGE, refuse(500), {"server_failed": 9}, 1),
        (A_PAGE, html_page(), {"malformed": 9}, 1),
        (DEAD, None, {"unauthorized_after_refresh": 9}, 2),
    ],
)
async def test_a_path_that_is_always_refused_costs_a_login_at_most_however_often_it_is_read(
    stage: Stage, read: Kind, probe: Kind | None, told: dict[str, int], logins: int
) -> None:
    api, refused = await stage.api(), befall(stage, A_READ, read)
    if probe:
        befall(stage, A_PROBE, probe)
    assert Counter([await outcome(api) for _ in range(9)]) == told
    assert stage.fake.token_calls == {"password": logins}
    assert await standing(stage, stage.ana.name) == ("active", None)
    stage.fake.faults.clear()
    assert await outcome(api) == "answered" and refused.fired <= 2 * 9 + 1
    assert stage.fake.token_calls == {"password": logins}


async def test_what_is_forbidden_for_days_costs_no_login_but_those_of_its_tokens_ends(
    stage: Stage,
) -> None:
    api = await stage.api()
    befall(stage, A_PROBE, NO_PERMISSION)
    guard(stage, on=True)
    for _ in range(6 * 24):
        assert await outcome(api) == "forbidden"
        stage.clock.advance(HOUR)
    assert stage.fake.token_calls == {"password": 2}
    stage.clock.advance(24 * HOUR)
    assert await outcome(api) == "forbidden"
    assert stage.fake.token_calls == {"password": 3}


async def test_many_that_are_refused_at_once_cost_one_probe_or_one_login(stage: Stage) -> None:
    api = await stage.api()
    await api.get(READ)
    guard(stage, on=True)
    probed = befall(stage, A_PROBE, says("{}"))
    assert set(await asyncio.gather(*(outcome(api) for _ in range(50)))) == {"forbidden"}
    assert (probed.fired, stage.fake.token_calls) == (1, {"password": 1})
    guard(stage, on=False)
    fake(stage).revoke(stage.ana.name)
    assert set(await asyncio.gather(*(outcome(api) for _ in range(50)))) == {"answered"}
    assert (probed.fired, stage.fake.token_calls) == (1, {"password": 2})


async def test_a_permission_is_taken_and_given_between_reads_and_the_token_stays(
    stage: Stage,
) -> None:
    keeper = await stage.keeper()
    api, token = AccountApi(keeper, stage.client), await keeper.token()
    for _ in range(3):
        assert await api.get(READ)
        guard(stage, on=True)
        with pytest.raises(Forbidden, match=r"GET 127.*/acme/plant7: 401") as caught:
            await api.get(READ)
        assert caught.value.status == 401
        assert isinstance(caught.value.body, dict) and caught.value.body["error"] == "unauthorized"
        guard(stage, on=False)
    assert await keeper.token() is token
    assert stage.fake.token_calls == {"password": 1}


async def test_a_check_of_permissions_that_failed_once_costs_one_read(stage: Stage) -> None:
    api, probed = await stage.api(), befall(stage, A_PROBE, refuse(500))
    whole = await api.get(READ)
    failed = befall(stage, A_READ, NO_PERMISSION, 1)
    assert await api.get(READ) == whole
    assert (failed.fired, probed.fired, stage.fake.token_calls) == (1, 0, {"password": 1})


@pytest.mark.parametrize(
    ("code", "probes"), [*((code, 0) for code in sorted(tokens.DEAD)), ("auth_disabled_appuser", 1)]
)
async def test_a_token_that_is_dead_by_any_name_costs_all_who_read_one_login(
    stage: Stage, code: str, probes: int
) -> None:
    """The last of the names is not known: it is found out by what every good token may read."""
    keeper = await stage.keeper()
    dead = f"Bearer {(await keeper.token()).access_token}"
    for match in (A_READ, A_PROBE):
        befall(stage, match, refusing(dead, code))
    api, probed = AccountApi(keeper, stage.client), befall(stage, A_PROBE, honestly)
    assert set(await asyncio.gather(*(outcome(api) for _ in range(50)))) == {"answered"}
    assert (probed.fired, stage.fake.token_calls) == (probes, {"password": 2})


async def test_a_token_of_another_application_from_before_a_change_is_replaced(
    stage: Stage,
) -> None:
    elsewhere = usergrid.options(stage.world.tenants["globex"], stage.fake.url)
    options = options_of("usergrid", elsewhere)
    assert isinstance(options, UsergridOptions)
    other = Adapter(options)
    before = await (await stage.keeper(OWN, adapter=other)).token()
    keeper = await stage.keeper(OWN)
    assert (await keeper.token()) == before, "it is kept with the account"
    api = AccountApi(keeper, stage.client)
    assert [await outcome(api) for _ in range(3)] == ["answered"] * 3
    assert stage.fake.token_calls == {"client_credentials": 2}


async def test_a_refusal_is_not_kept_with_the_trouble_that_it_leads_to(stage: Stage) -> None:
    api = await stage.api()
    befall(stage, A_READ, DEAD)
    with pytest.raises(TokenError) as caught:
        await api.get(READ)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


Step = tuple[Any, ...]
KINDS: dict[str, Kind] = {
    "no permission": NO_PERMISSION,
    "dead": DEAD,
    "a page": A_PAGE,
    "not there": refuse(404),
    "failed": refuse(500),
}
befalling = st.tuples(
    st.just("befall"),
    st.sampled_from([A_READ, A_PROBE]),
    st.sampled_from([*KINDS]),
    st.integers(1, 9),
)
others = st.one_of(
    st.just(("revoke",)),
    st.tuples(st.just("guard"), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([4, 299, 3600])),
)
scripts = st.lists(st.just(("read",)) | befalling | others, min_size=2, max_size=16)


@dataclass(slots=True)
class Story:
    """One account's reads, and what would be a reason for a login."""

    stage: Stage
    api: AccountApi
    faults: list[Fault] = field(default_factory=list)
    revoked: int = 0

    async def tell(self, what: str, *which: Any) -> None:
        if what == "read":
            await outcome(self.api)
        elif what == "befall":
            match, kind, times = which
            fault = befall(self.stage, match, KINDS[kind], times)
            self.faults += [fault] if kind in ("dead", "a page") else []
        elif what == "revoke":
            self.revoked += 1
            fake(self.stage).revoke(self.stage.ana.name)
        elif what == "guard":
            guard(self.stage, on=which[0])
        else:
            self.stage.clock.advance(timedelta(seconds=which[0]))

    @property
    def most_logins(self) -> int:
        """The first, one for a token of which nobody knows, and one for each that may be dead."""
        return 2 + self.revoked + sum(fault.fired for fault in self.faults)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(script=scripts)
async def test_no_order_of_refusals_costs_a_login_without_a_reason_or_shuts_an_account_out(
    stage: Stage, script: list[Step]
) -> None:
    stage.fake.faults.clear()
    guard(stage, on=False)
    before = stage.calls()
    story = Story(stage, await stage.api())
    for step in script:
        await story.tell(*step)
    assert stage.calls() - before <= story.most_logins
    stage.fake.faults.clear()
    guard(stage, on=False)
    stage.clock.advance(LONGEST_BACKOFF)
    assert await outcome(story.api) == "answered"
