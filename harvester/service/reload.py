"""SIGHUP: configuration and keys are read again, and what changed of the tenants is applied."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from harvester import metrics
from harvester.clock import Clock
from harvester.config import Settings
from harvester.config.difference import Difference, difference, needing_restart
from harvester.errors import ConfigError, HarvesterError, UserError
from harvester.notify import notify, reloading
from harvester.service.tenants import Tenants
from harvester.vault import Keys

Reread = Callable[[], Settings]
"""The settings as they stand now. Blocks on files; raises ConfigError."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reload:
    """How to read again, and to whom it matters. `settings` are those of the start."""

    settings: Settings
    reread: Reread
    tenants: Tenants
    keys: Keys
    clock: Clock

    async def keep(self, hup: asyncio.Event) -> None:
        """Reload whenever it is set. What comes while one goes on asks for one more after it."""
        while True:
            await hup.wait()
            hup.clear()
            reloading()
            await self.now()
            notify("READY=1")

    async def now(self) -> bool:
        """Read and apply; whether all of it went well. What did not is told, and left as it was."""
        # First: what a tenant that is begun anew loads may be sealed under a new key.
        keys_read = await self._read_keys()
        wanted = await self._read()
        well = wanted is not None and await self._apply(wanted) and keys_read
        metrics.RELOAD_SUCCESSFUL.set(well)
        if well:
            metrics.RELOAD_SUCCESS_TIME.set(self.clock.now().timestamp())
            _log.info("reloaded")
        else:
            _log.error("reload failed; what could not be applied stays as it was")
        return well

    async def _read_keys(self) -> bool:
        try:
            await self.keys.reread()
        except ConfigError as error:
            _log.error("the keys cannot be read, the old ones stay", problem=str(error))
            return False
        return True

    async def _read(self) -> Settings | None:
        try:
            return await asyncio.to_thread(self.reread)
        except UserError as error:
            for line in str(error).splitlines():
                _log.error("the configuration is wrong, the old one stays", problem=line)
        except Exception:
            _log.exception("the configuration cannot be read, the old one stays")
        return None

    async def _apply(self, wanted: Settings) -> bool:
        found = difference([tenant.settings for tenant in self.tenants], wanted.tenants)
        _tell(found, needing_restart(self.settings, wanted))
        # Side by side: a tenant that takes long to end holds no other up.
        results = await asyncio.gather(
            *(_tried(name, self.tenants.remove(name)) for name in found.removed),
            *(_tried(each.name, self.tenants.begin(each, at_once=True)) for each in found.added),
            *(
                _tried(each.name, self.tenants.begin(each, at_once=True))
                for each, _ in found.changed
            ),
        )
        for tenant in self.tenants:
            tenant.try_again()
        return all(results)


async def _tried(tenant: str, applied: Awaitable[None]) -> bool:
    try:
        await applied
    except HarvesterError as error:
        _log.error("not applied; SIGHUP tries again", tenant=tenant, error=str(error))
        return False
    except Exception:
        _log.exception("not applied; SIGHUP tries again", tenant=tenant)
        return False
    return True


def _tell(found: Difference, restart: list[str]) -> None:
    changed = [f"{each.name}: {', '.join(keys)}" for each, keys in found.changed]
    _log.info(
        "configuration read again",
        added=[each.name for each in found.added],
        changed=changed,
        removed=list(found.removed),
    )
    if restart:
        _log.warning("only a restart changes these, the old ones stay", keys=restart)
