"""When devices had contact with the platform last, and in which domain they are: asked once for
each tick, before anything is asked of them."""

import asyncio
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from weakref import WeakKeyDictionary

from harvester.errors import Forbidden, PlatformError
from harvester.model import BEGINNING
from harvester.platforms.base import Api
from harvester.platforms.coiote import devices
from harvester.platforms.coiote.asking import Asking
from harvester.platforms.coiote.devices import Seen


@dataclass(slots=True)
class _Sight:
    """What one account was told. An answer that came after a window's end tells of all of it."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    may_ask_for_all: bool = True
    all_told_at: datetime = BEGINNING
    failed: tuple[datetime, PlatformError] | None = None
    """Until when all were asked for in vain: the feeds of a tick share it."""
    told: dict[str, tuple[Seen, datetime]] = field(default_factory=dict)
    turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))


class Contacts:
    """As each account sees them: a call for a thousand devices where it may, else one for each."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._sights: WeakKeyDictionary[Api, _Sight] = WeakKeyDictionary()

    def learn(self, api: Api, *, may_ask_for_all: bool) -> None:
        """What a discovery met: a permission may come or go."""
        self._sights.setdefault(api, _Sight()).may_ask_for_all = may_ask_for_all

    def forget_others(self, api: Api, devices: Collection[str]) -> None:
        """Of those that an account sees no more."""
        sight = self._sights.setdefault(api, _Sight())
        for gone in sight.turns.keys() - devices:
            del sight.turns[gone]
        sight.told = {name: it for name, it in sight.told.items() if name in devices}

    async def of(self, api: Api, device: str, until: datetime) -> Seen:
        """A device as it was told at `until` or later.

        Raises Forbidden where it is not to be seen, Malformed, Truncated, and the errors of `Api`.
        """
        sight = self._sights.setdefault(api, _Sight())
        if sight.may_ask_for_all:
            async with sight.turn:
                await self._all(api, sight, until)
        if not sight.may_ask_for_all:
            async with sight.turns[device]:
                await self._one(api, sight, device, until)
        seen, told_at = sight.told.get(device, (Seen(device), BEGINNING))
        if told_at < until:
            raise Forbidden(f"device {device} is not in the list of devices", 404)
        return seen

    async def _all(self, api: Api, sight: _Sight, until: datetime) -> None:
        if sight.all_told_at >= until or not sight.may_ask_for_all:
            return
        if sight.failed and sight.failed[0] == until:
            raise sight.failed[1]
        told: dict[str, tuple[Seen, datetime]] = {}
        try:
            async for seen in devices.details(self._asking, api, devices.CONTACTS):
                told[seen.identifier] = seen, until
        except Forbidden:
            sight.may_ask_for_all = False
            return
        except PlatformError as error:
            sight.failed = until, error
            raise
        sight.told, sight.all_told_at = told, until

    async def _one(self, api: Api, sight: _Sight, device: str, until: datetime) -> None:
        _, told_at = sight.told.get(device, (None, BEGINNING))
        if told_at < until:
            sight.told[device] = await devices.one(self._asking, api, device), until
