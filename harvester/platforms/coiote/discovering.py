"""What there is to read of a tenant: devices, the resources of theirs that measure, and tasks."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from harvester.errors import Forbidden, PlatformError
from harvester.logs import Failures
from harvester.model import Channel, Device, Discovered
from harvester.platforms.base import Api
from harvester.platforms.coiote import devices, readings, tasks
from harvester.platforms.coiote.asking import Asking
from harvester.platforms.coiote.contacts import Contacts
from harvester.platforms.coiote.devices import MOST_ILL, OF_ONE, Instance, Seen
from harvester.platforms.coiote.lwm2m import SENSORS, Path, path_of, text_of
from harvester.platforms.coiote.models import Models, Stated
from harvester.platforms.coiote.moves import Moves
from harvester.platforms.coiote.options import CoioteOptions

_FIRST_THAT_STATES = 3200
"""Objects below this number have no resource in which they say their unit."""


@dataclass(slots=True)
class _Listing:
    """One discovery of one account: what it found, and of how many devices what went wrong."""

    seen: dict[str, Seen] = field(default_factory=dict)
    ill: int = 0
    """Those that could not tell of their sensors."""
    undefined: int = 0
    """Those whose data model may not be seen."""


class Discovering:
    """What is found, and what of it need not be asked for again."""

    def __init__(
        self,
        options: CoioteOptions,
        asking: Asking,
        models: Models,
        contacts: Contacts,
        moves: Moves,
        failures: Failures,
    ) -> None:
        self._objects = frozenset(options.objects)
        self._latest = tuple(map(path_of, options.latest))
        self._asking = asking
        self._models = models
        self._contacts = contacts
        self._moves = moves
        self._failures = failures
        self._known: WeakKeyDictionary[Api, dict[str, Seen]] = WeakKeyDictionary()
        """As each account found them last."""
        self._begun: WeakKeyDictionary[Api, dict[str, Seen]] = WeakKeyDictionary()
        """What each account had found when its last listing failed: one with fewer requests an hour
        than devices would never be done."""

    @property
    def devices(self) -> Collection[str]:
        """All that any account found last."""
        return {name for known in self._known.values() for name in known}

    async def found(
        self, api: Api, user: str | None, is_told: Callable[[str], bool]
    ) -> AsyncIterator[Discovered]:
        """All devices that the account sees, then its task reports. `is_told`: whether history
        can be had of a device, or of a feed by its key.

        Raises Malformed, Truncated, and the errors of `Api`.
        """
        listing = _Listing()
        self._models.begin_anew(self.devices)
        try:
            async for seen in self._seen(api):
                await self._learn(api, seen, listing)
                yield await self._discovered(api, seen, is_told, listing)
                listing.seen[seen.identifier] = seen
        except PlatformError:
            self._begun[api] = listing.seen
            raise
        self._known[api] = listing.seen
        self._contacts.forget_others(api, listing.seen)
        self._tell_undefined(listing.seen.values())
        yield Discovered(None, (tasks.feed_of(user),))

    async def _seen(self, api: Api) -> AsyncIterator[Seen]:
        begun = self._begun.pop(api, {})
        try:
            found = [each async for each in devices.details(self._asking, api, devices.FIELDS)]
        except Forbidden:
            self._contacts.learn(api, may_ask_for_all=False)
            known = self._known.get(api, {})
            async for each in devices.single(self._asking, api, known, begun):
                yield each
            return
        self._contacts.learn(api, may_ask_for_all=True)
        for each in found:
            yield each

    async def _learn(self, api: Api, seen: Seen, listing: _Listing) -> None:
        """Have its objects defined, unless some in a row may not be: then no other is tried."""
        if listing.undefined > MOST_ILL:
            return
        if await self._models.learn(api, seen, self._numbers(seen)):
            listing.undefined = 0
        else:
            listing.undefined += 1

    async def _discovered(
        self, api: Api, seen: Seen, is_told: Callable[[str], bool], listing: _Listing
    ) -> Discovered:
        sensors = [each for each in self._sensors(seen) if each[0] >= _FIRST_THAT_STATES]
        stated = await self._stated(api, seen, sensors, listing) if sensors else {}
        paths, latest = list(self._paths(seen)), self._of_latest(seen)
        channels = tuple(self._channel(seen, path, stated) for path in (*paths, *latest))
        place = self._moves.place_of(seen)
        feeds = [readings.feed_of(seen, path, place) for path in paths]
        feeds = [each for each in feeds if is_told(seen.identifier) and is_told(each.key)]
        feeds += readings.feeds_of_latest(seen, latest)
        return Discovered(Device(seen.identifier, seen.name, seen.kind, channels), tuple(feeds))

    async def _stated(
        self, api: Api, seen: Seen, sensors: list[Instance], listing: _Listing
    ) -> dict[Instance, Stated]:
        """Nothing of one that cannot tell now: its units are not worth the others' discovery."""
        try:
            return await self._models.stated(api, seen, sensors)
        except OF_ONE:
            listing.ill += 1
            if listing.ill > MOST_ILL:
                raise
            return {}

    def _sensors(self, seen: Seen) -> list[Instance]:
        return [each for each in seen.instances if each[0] in SENSORS or each[0] in self._objects]

    def _numbers(self, seen: Seen) -> set[int]:
        """The objects of which anything is read."""
        return {path[0] for path in (*self._sensors(seen), *self._of_latest(seen))}

    def _of_latest(self, seen: Seen) -> list[Path]:
        return [path for path in self._latest if path[:2] in seen.instances]

    def _paths(self, seen: Seen) -> Iterator[Path]:
        """What has a history: of an object that the registry knows, what it measures."""
        for number, instance in self._sensors(seen):
            defined = self._models.defined(seen, number)
            ids = [each.id for each in defined if each.is_value]
            if number in SENSORS:
                known = SENSORS[number].resources
                ids = [each for each in known if each in ids] or list(known)
            paths = [(number, instance, each) for each in ids]
            yield from (path for path in paths if path not in self._latest)

    def _channel(self, seen: Seen, path: Path, stated: dict[Instance, Stated]) -> Channel:
        number, instance, resource = path
        said = stated.get((number, instance), Stated())
        units = {each.id: each.unit for each in self._models.defined(seen, number)}
        return Channel(
            text_of(path),
            label=said.label,
            type=f"{number}/{resource}",
            unit=said.unit or units.get(resource),
        )

    def _tell_undefined(self, found: Collection[Seen]) -> None:
        """Of what was configured: without a definition nobody knows what there is to ask for."""
        numbers = {
            number
            for seen in found
            for number in self._numbers(seen) & self._objects
            if not self._models.defined(seen, number)
        }
        paths = {path for seen in found for path in self._of_latest(seen)}
        nameless = [text_of(path) for path in sorted(paths) if not self._models.can_tell(path)]
        self._tell("configured objects", objects=sorted(numbers))
        self._tell("configured latest values", resources=nameless)

    def _tell(self, what: str, **undefined: Collection[object]) -> None:
        if any(undefined.values()):
            self._failures.failing(what, "undefined", **undefined)
        else:
            self._failures.well(what)
