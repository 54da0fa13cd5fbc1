"""One account of a platform, its real keeper, and one read that tells whether a token is good."""

from exchanged import bears
from fix_platforms import Stage, login
from prometheus_client import REGISTRY

from harvester import auth, metrics
from harvester.auth import AccountApi
from harvester.errors import Unauthorized
from harvester.model import Credentials, Token
from harvester.platforms.base import Access, Api, Params
from harvester.simulator import fakes

OWN = Credentials(None)
STOPPED = ("quarantined", "needs_login")


def adapters(stage: Stage) -> list[Access]:
    """The stage's, and one for the other way, without anybody to talk to."""
    kind, told = type(stage.adapter), stage.options.model_dump(exclude_unset=True)
    other = fakes.stated(stage.platform, "OTHER_OPTIONS", dict[str, object]())
    ways = (told, {**told, **other})
    return [kind(kind.Options.model_validate(way)) for way in ways]


async def read(stage: Stage, api: Api, credentials: Credentials) -> object:
    """One protected read: of what a good token suffices for, else a discovery's, as far as its
    first device. Raises what `api` raises."""
    if path := stage.adapter.probe(credentials):
        return await api.get(path)
    found = stage.adapter.discover(api, credentials)
    return await anext(each.device async for each in found if each.device)


async def serves(stage: Stage, token: Token, credentials: Credentials | None = None) -> bool:
    """Whether the platform takes a token for what it protects; Ana's, unless it is another's."""

    class Bearing:
        async def get(self, path: str, params: Params | None = None) -> object:
            return await stage.client.get(path, params, bears(token.access_token))

    try:
        return await read(stage, Bearing(), credentials or login(stage.ana)) is not None
    except Unauthorized:
        return False


async def log_in(stage: Stage, credentials: Credentials | None = None) -> Token:
    """The adapter's alone: nothing is kept."""
    given = credentials or login(stage.ana)
    return await stage.adapter.login(stage.client, given, stage.clock.now())


async def renew(stage: Stage, token: Token) -> Token:
    return await stage.adapter.renew(stage.client, token, stage.clock.now())


async def goes_on(stage: Stage, api: AccountApi, credentials: Credentials | None = None) -> bool:
    return await read(stage, api, credentials or login(stage.ana)) is not None


def people(stage: Stage) -> list[Credentials]:
    """Ana, and the tenant's own client where there is one."""
    return [login(stage.ana), *([OWN] if stage.adapter.own_client else [])]


async def standing(stage: Stage, user: str | None) -> tuple[str, str | None]:
    """The state of an account and the reason of it, as the database has them."""
    row = await stage.pool.fetchrow(
        "select state, reason from vault.credential where account_id = $1",
        await stage.account(user),
    )
    assert row
    return row["state"], row["reason"]


def known_reasons(adapter: Access) -> set[str]:
    """All that an account may be without a token for."""
    return {*adapter.token_reasons, *auth.REASONS, *metrics.TOKEN_REASONS}


def counted(name: str, stage: Stage, **labels: str) -> float:
    """The sum of a counter's series of a platform, since the tests began."""
    labels |= {"platform": stage.platform}
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == f"harvester_{name}_total" and labels.items() <= sample.labels.items()
    )
