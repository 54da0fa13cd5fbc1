"""One account, its platform, database and configuration: where token calls are broken off."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

import aiohttp
import asyncpg
from acceptance.daemon import forked
from fix_postgres import Database
from fix_simulator import stored_in

from harvester import config
from harvester.auth import Account
from harvester.auth.sealed import Vault
from harvester.cli import accounts
from harvester.clock import SystemClock
from harvester.model import Credentials
from harvester.service.house import opened
from harvester.simulator import fakes
from harvester.simulator.clock import RealClock
from harvester.simulator.fakes import Secret
from harvester.simulator.tenants import Tenant, User
from harvester.simulator.world import World

OWN_CLIENT: Mapping[str, frozenset[str]] = {
    "mydevices": frozenset({"realm", "admin_client_id", "admin_client_secret"}),
    "usergrid": frozenset({"client_id", "client_secret"}),
    "coiote": frozenset({"realm", "client_id", "client_secret"}),
    "devicehive": frozenset(),
}
"""The options that give a tenant a client of its own."""
READS = {
    "mydevices": "/v1.0/admin/things",
    "usergrid": "/acme/plant7",
    "coiote": "/api/coiotedm/v3/devices",
    "devicehive": "/api/rest/device",
}
"""What takes a good token, where harvester reads no readings with it."""
LOGINS = ("refresh_token", "password", "client_credentials")
LONGEST = 40.0  # seconds that a point, or the account after it, is waited for
CONFIG = """
state_directory = "state"
{head}
[web]
port = 0
[[tenant]]
name = "acme"
platform = "{platform}"
interval = "1s"
history = "24h"
[tenant.options]
{options}
"""
ACCOUNT = """
[[tenant.account]]
user = "{user}"
"""


class Outcome(NamedTuple):
    """How the account stands after all, and what that took: token calls, and wrongs done."""

    state: str
    reason: str | None
    calls: Mapping[str, int]
    violations: int = 0


@dataclass(frozen=True, slots=True)
class Setting:
    """A platform, and how its account gets in. `grant` is the call that is broken off.

    `secret` is what is configured of the account; None where that is nothing, and "client" for a
    tenant that has a client of its own and no accounts. `by_hand` is the `harvester login` before,
    None where there was none. `lost` is what comes of a lost answer, the broken call first.
    """

    name: str
    platform: str
    grant: str
    lost: Outcome
    secret: str | None = "password"
    by_hand: Literal["login", "login --keep-password"] | None = "login"
    switches: Any = None


@dataclass(slots=True)
class Site:
    """A customer's site with the one account."""

    setting: Setting
    fake: Any
    folder: Path
    pool: asyncpg.Pool[asyncpg.Record]
    tenant: Tenant
    is_read: bool
    """Whether harvester has readings through this account."""

    @property
    def user(self) -> User:
        return self.tenant.users[0]

    @property
    def config_file(self) -> Path:
        return self.folder / "config.toml"

    @property
    def calls(self) -> dict[str, int]:
        """Token calls that arrived at the fake, by grant."""
        return {
            grant: self.fake.token_calls[grant] for grant in LOGINS if self.fake.token_calls[grant]
        }

    async def begin(self) -> None:
        """The account has a token whose life is over, where it had one at all."""
        if self.setting.by_hand is not None:
            await self.log_in(keep_password=self.setting.by_hand != "login")
            await self.age()
        self.fake.token_calls.clear()

    async def log_in(self, *, keep_password: bool = False) -> None:
        """What `harvester login` does; here without the second that a process takes to begin."""
        told = await asyncio.to_thread(
            accounts._configured, self.config_file, "acme", self.user.name
        )
        credentials = Credentials(self.user.name, self.user.password)
        await accounts._log_in(told, credentials, keep_password)

    async def age(self) -> None:
        """The access token is due, as far as its owner knows."""
        await self.pool.execute("update vault.credential set expires_at = now()")

    async def killed(self, point: str) -> None:
        """Run until the daemon ends itself at `point`."""
        mark = self.folder / "mark"
        mark.unlink(missing_ok=True)
        async with forked(self.config_file, (str(mark), point, self.setting.grant)) as daemon:
            with in_time(f"{point} is passed", daemon.said):
                async with asyncio.timeout(LONGEST):
                    code = await daemon.process.wait()
        told = mark.read_text() if mark.exists() else "".join(daemon.said)
        assert (code, told) == (-signal.SIGKILL, point.partition(":")[0])

    async def restarted(self) -> str:
        """Run plainly until the account's state is known; a read must come through where it works.

        The state as the daemon counts it.
        """
        async with forked(self.config_file) as daemon:
            address = await daemon.ready()
            with in_time("the account works, or is left alone", daemon.said):
                async with asyncio.timeout(LONGEST):
                    state = await decided(address)
                    if state == "active":
                        await self.read()
            assert await daemon.end() == 0
        return state

    async def read(self) -> None:
        """Wait for a read with the account's token: of readings, or with what is in the vault."""
        if self.is_read:
            while not await self.pool.fetchval("select count(*) from harvester.readings"):
                await asyncio.sleep(0.02)
            return
        url = self.fake.url + READS[self.setting.platform]
        header = {"Authorization": f"Bearer {await self.kept_token()}"}
        async with aiohttp.ClientSession() as http, http.get(url, headers=header) as answer:
            assert answer.status == 200, await answer.text()

    async def kept_token(self) -> str:
        """The access token as it lies in the database, opened with the site's own key."""
        settings = await asyncio.to_thread(config.load, self.config_file)
        row = await self.pool.fetchrow("select account_id, user_name from harvester_data.account")
        assert row
        async with opened(settings, SystemClock(), "proof") as house:
            who = Credentials(row["user_name"])
            account = Account(row[0], "acme", self.setting.platform, who, house.deployment, "proof")
            kept = await Vault(account, house.pool, house.keys).load()
        assert kept.held
        return kept.held.token.access_token

    async def outcome(self) -> Outcome:
        row = await self.pool.fetchrow("select state, reason from harvester.accounts")
        assert row
        return Outcome(row["state"], row["reason"], self.calls, len(self.fake.violations))

    def spilled(self) -> list[Path]:
        return list((self.folder / "state/spill").glob("*"))


@asynccontextmanager
async def site_of(setting: Setting, database: Database, folder: Path) -> AsyncIterator[Site]:
    world = World("renewing", RealClock(), datetime.now(UTC) - timedelta(hours=2), tenants=["acme"])
    simulated = await asyncio.to_thread(fakes.simulated, setting.platform)
    switches = setting.switches or next(iter(simulated.QUIRKS.values()))
    async with (
        simulated.serve(world, switches=switches) as fake,
        asyncpg.create_pool(
            database.dsn, password=database.password, ssl=database.ssl, min_size=1, max_size=2
        ) as pool,
    ):
        is_read = setting.secret != "client"
        site = Site(setting, fake, folder, pool, world.tenants["acme"], is_read)
        await asyncio.to_thread(configure, site, database)
        yield site


def configure(site: Site, database: Database) -> None:
    setting = site.setting
    site.folder.mkdir(exist_ok=True)
    head = stored_in(database, site.folder)
    told = fakes.simulated(setting.platform).options(site.tenant, site.fake.url)
    if setting.secret != "client":
        told = {key: told[key] for key in told if key not in OWN_CLIENT[setting.platform]}
    lines = [f"{key} = {_value(site.folder, key, value)}" for key, value in told.items()]
    text = CONFIG.format(head=head, platform=setting.platform, options="\n".join(lines))
    if setting.secret != "client":
        text += ACCOUNT.format(user=site.user.name)
    if setting.secret in ("password", "refresh_token"):
        text += f"{setting.secret} = {_value(site.folder, 'secret', Secret(_secret(site)))}\n"
    site.config_file.write_text(text)


def _secret(site: Site) -> str:
    if site.setting.secret == "password":
        return site.user.password
    pair = site.fake.tokens.login({"login": site.user.name, "password": site.user.password})
    return str(pair["refreshToken"])


def _value(folder: Path, key: str, value: object) -> str:
    if not isinstance(value, Secret):
        return f'"{value}"'
    (folder / key).write_text(value)
    return f'{{ file = "{key}" }}'


async def decided(address: str) -> str:
    """Wait until the daemon counts the account as one that works, or that is left alone."""
    series = re.compile(
        r'^harvester_accounts{.*state="(active|quarantined|needs_login)".*} 1\.0$', re.M
    )
    async with aiohttp.ClientSession() as http:
        while True:
            async with http.get(address) as answer:
                if found := series.search(await answer.text()):
                    return found[1]
            await asyncio.sleep(0.02)


@contextmanager
def in_time(what: str, said: list[str]) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise AssertionError(f"not in time: {what}\n{''.join(said)}") from None
