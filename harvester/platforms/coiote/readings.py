"""Readings of a feed's window: the history of one resource, or the latest values of a device."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import datetime
from functools import partial
from weakref import WeakKeyDictionary

import structlog

from harvester.errors import (
    Forbidden,
    Malformed,
    NotPermitted,
    PlatformError,
    RequestRefused,
    ServerFailed,
    TooLarge,
    Truncated,
)
from harvester.model import BEGINNING, Feed, Sample, Window
from harvester.platforms.base import Api
from harvester.platforms.coiote import monitoring
from harvester.platforms.coiote.asking import Asking
from harvester.platforms.coiote.codes import (
    BAD_RANGE,
    NOT_MONITORED,
    NOT_PERMITTED,
    NOTHING_THERE,
    Refusal,
    code_of,
)
from harvester.platforms.coiote.contacts import Contacts
from harvester.platforms.coiote.devices import Seen
from harvester.platforms.coiote.future import Ask, Future
from harvester.platforms.coiote.lwm2m import Path, path_of, text_of
from harvester.platforms.coiote.models import Models
from harvester.platforms.coiote.moves import Moves
from harvester.platforms.coiote.silence import Silence
from harvester.platforms.coiote.unmonitored import Unmonitored
from harvester.storable import LONGEST_NAME

_LATEST = "latest:"

_log = structlog.stdlib.get_logger(__name__)


def feed_of(seen: Seen, path: Path, place: str | None) -> Feed:
    """The history of one resource, which is gone when the device moves to another domain."""
    key = f"{seen.identifier} /{text_of(path)}"
    return Feed("readings", key, (seen.identifier,), place=place)


def feeds_of_latest(seen: Seen, paths: Iterable[Path]) -> list[Feed]:
    """The latest values of some resources: a feed has as many as its key can name."""
    keys: list[str] = []
    for text in map(text_of, paths):
        if keys and len(keys[-1]) + 1 + len(text) <= LONGEST_NAME:
            keys[-1] += f",{text}"
        else:
            keys.append(f"{seen.identifier} {_LATEST}{text}")
    return [Feed("readings", key, (seen.identifier,)) for key in keys]


class Readings:
    """How the readings of one tenant are pulled, and what was learned from that."""

    def __init__(
        self,
        asking: Asking,
        models: Models,
        contacts: Contacts,
        moves: Moves,
        future: Future,
        silence: Silence,
    ) -> None:
        self._asking = asking
        self._models = models
        self._contacts = contacts
        self._moves = moves
        self._future = future
        self._silence = silence
        self._not_permitted: WeakKeyDictionary[Api, datetime] = WeakKeyDictionary()
        """The last tick in which all was forbidden to an account: its feeds share it."""
        self._unmonitored = Unmonitored()
        self._nothing_there: set[tuple[str, str]] = set()
        """Devices and resources, as of the last discovery."""
        self._told: dict[str, tuple[str, datetime]] = {}
        """By feed of latest values, its device, and the last tick in which all was told."""
        self._until = BEGINNING
        """The end of the newest windows of this tick: no other clock is here."""

    def begin(self, until: datetime) -> None:
        """A tick begins."""
        self._until = until

    def begin_anew(self, devices: Collection[str]) -> None:
        """Devices are listed once more: a resource may have come up. All are forgotten but those
        that were listed before."""
        self._nothing_there.clear()
        if not devices:  # nobody listed any yet
            return
        self._silence.forget_others(devices)
        self._unmonitored.forget_others(devices)
        self._told = {key: it for key, it in self._told.items() if it[0] in devices}

    def is_told(self, device_or_feed: str) -> bool:
        """Whether its history can be had, as far as is known: it is tried again now and then."""
        return not self._unmonitored.holds(device_or_feed, self._until)

    async def pulled(self, api: Api, feed: Feed, window: Window) -> AsyncIterator[list[Sample]]:
        """All samples of the window, an answer at a time.

        Raises Forbidden, NotPermitted, RequestRefused where the device is not monitored,
        TransientError where the window ends in the platform's future, Truncated, Malformed, and the
        other errors of `Api`.
        """
        self._until = max(self._until, window.until)
        what = feed.key.rpartition(" ")[2]
        if what.startswith(_LATEST):
            paths = [path_of(each) for each in what.removeprefix(_LATEST).split(",")]
            yield await self._latest(api, feed, paths, window)
            return
        async for samples in self._history(api, feed, what.removeprefix("/"), window):
            yield samples

    async def _latest(
        self, api: Api, feed: Feed, paths: Sequence[Path], window: Window
    ) -> list[Sample]:
        """All that there is, whatever the window: it is asked for once."""
        device = feed.devices[0]
        if self._told.get(feed.key, (device, BEGINNING))[1] >= self._until:
            return []
        seen = await self._contacts.of(api, device, self._until)
        if self._silence.is_over(window, seen, self._until):
            return []
        samples = await self._models.latest(api, device, paths)
        self._told[feed.key] = device, self._until
        return samples

    async def _history(
        self, api: Api, feed: Feed, resource: str, window: Window
    ) -> AsyncIterator[list[Sample]]:
        device = feed.devices[0]
        self._check(api, feed)
        if (device, resource) in self._nothing_there:
            return
        seen = await self._contacts.of(api, device, self._until)
        self._moves.check(seen, feed.place)
        if self._silence.is_over(window, seen, self._until):
            self._silence.keep_silent(feed, seen)
            return
        ask = partial(monitoring.asked, self._asking, api, device, resource)
        try:
            await self._future.doubt(self._until, ask)
            async for samples in monitoring.pulled(self._asking, api, device, resource, window):
                yield samples
            async for samples in self._kept(api, feed, seen, resource, window):
                yield samples
        except (Forbidden, RequestRefused) as refusal:
            if code_of(refusal) not in NOTHING_THERE:
                raise await self._meant(api, feed, window, ask, refusal) from refusal
            self._nothing_there.add((device, resource))
        except ServerFailed as error:
            if not self._unmonitored.failed(device, self._until):
                raise
            raise _not_monitored(device) from error
        else:
            self._unmonitored.told(device, feed.key, self._until)

    async def _kept(
        self, api: Api, feed: Feed, seen: Seen, resource: str, window: Window
    ) -> AsyncIterator[list[Sample]]:
        """What a device kept while it was silent for long. What makes no sense of that costs no
        window: asked for again, it would make none."""
        if silence := self._silence.before(feed, seen, window, self._until):
            asked = monitoring.pulled(self._asking, api, seen.identifier, resource, silence)
            try:
                async for samples in asked:
                    yield samples
            except (Malformed, TooLarge, Truncated) as error:
                _log.warning("a silence not told whole", feed=feed.key, error=str(error))
        self._silence.told(feed, seen, window, self._until)

    def _check(self, api: Api, feed: Feed) -> None:
        """Raise what was found out of the account in this tick, or of the device of late."""
        device = feed.devices[0]
        if self._not_permitted.get(api) == self._until:
            raise _not_permitted()
        if not self.is_told(device):
            raise _not_monitored(device)
        if not self.is_told(feed.key):
            raise _not_told(feed.key)

    async def _meant(
        self, api: Api, feed: Feed, window: Window, ask: Ask, refusal: Refusal
    ) -> PlatformError:
        """What a refusal comes to by its code, kept for whoever asks next."""
        code, device = code_of(refusal), feed.devices[0]
        if code is None and refusal.status == 404:
            is_lasting = self._unmonitored.failed(feed.key, self._until)
            return _not_told(feed.key) if is_lasting else refusal
        if code == NOT_PERMITTED:
            self._not_permitted[api] = self._until
            return _not_permitted()
        if code == NOT_MONITORED:
            self._unmonitored.said(device, self._until)
            return _not_monitored(device)
        if code == BAD_RANGE and isinstance(refusal, RequestRefused):
            return await self._future.learn(window.until, ask, refusal)
        return refusal


def _not_permitted() -> NotPermitted:
    return NotPermitted(
        "the account may not read the history of devices: it needs the permission "
        "monitoring.manageMonitoring"
    )


def _not_told(feed: str) -> RequestRefused:
    return RequestRefused(
        f"there is no {feed} again and again, while others are told: the device may not have it",
        404,
    )


def _not_monitored(device: str) -> RequestRefused:
    return RequestRefused(
        f"device monitoring is not enabled for {device} at the platform, or it fails for it alone",
        503,
    )
