"""Readings of a feed's window, by whichever way the feed goes."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import islice

from harvester.errors import ServerFailed, Truncated
from harvester.logs import Failures
from harvester.model import Feed, Sample, Window
from harvester.platforms.base import Api
from harvester.platforms.usergrid import instants, sources
from harvester.platforms.usergrid.asking import FIRST_LOOK, Asking
from harvester.platforms.usergrid.fitting import Fitting
from harvester.platforms.usergrid.graph import Graph
from harvester.platforms.usergrid.index import Index
from harvester.platforms.usergrid.live import Live
from harvester.platforms.usergrid.options import UsergridOptions
from harvester.platforms.usergrid.pages import below
from harvester.platforms.usergrid.sources import Source
from harvester.platforms.usergrid.untold import untold

BATCH = 10_000
"""Samples handed on at once: an entity may hold any number of them."""
DEEPEST = 20
"""Pages of the graph in place of the index: what lies deeper waits until that is back."""


class Readings:
    """How the readings of one tenant are pulled, and what was learned from that."""

    def __init__(self, options: UsergridOptions, index: Index, failures: Failures) -> None:
        self._options = options
        self._index = index
        self._failures = failures
        self._live = Live()
        self._sweeping = Graph()

    @property
    def behind(self) -> timedelta | None:
        """Of an index that does not answer at all, the time since it last did, or more."""
        known = (self._live.behind, self._index.silent)
        return max((each for each in known if each is not None), default=None)

    async def pulled(self, api: Api, feed: Feed, window: Window) -> AsyncIterator[list[Sample]]:
        """All samples of the window, and of what else was met.

        Raises Truncated where an answer cannot be proven complete, Malformed (also where the
        settings seem to be wrong), and the errors of `Api`.
        """
        source = sources.source(self._options, feed.key)
        fitting = Fitting(source)
        async for entities in self._entities(api, source, window):
            told = fitting.samples(entities)
            while batch := list(islice(told, BATCH)):
                yield batch
        if source.way != "graph":
            fitting.check()

    async def _entities(
        self, api: Api, source: Source, window: Window
    ) -> AsyncIterator[list[object]]:
        path = below(self._options.root, source.path)
        if source.way == "graph":
            async for met, late in self._sweeping.walk(api, path, window):
                yield await untold(api, path, met, self._index) + late
            return
        asking = Asking(api, path, source.way, window)
        try:
            async for entities in self._asked(asking):
                yield entities
        except ServerFailed as error:
            if source.way == "modified":  # by which the graph has no order
                raise
            async for entities in _past_the_index(api, path, window, error):
                yield entities
            return
        if source.way == "created" and asking.ended_within(self._of_late):
            async for entities in self._live.looked(api, path, asking):
                yield entities

    async def _asked(self, asking: Asking) -> AsyncIterator[list[object]]:
        self._index.check()
        try:
            async for entities in asking.pages():
                self._index.answered()
                yield entities
        except ServerFailed as error:
            self._index.failed(error)
            raise
        asking.tell(self._failures)

    @property
    def _of_late(self) -> int:
        """Milliseconds: longer ago than the newest window ends, and not as long as a look's."""
        return max(FIRST_LOOK, 2 * self._options.index_lag // instants.MS)


async def _past_the_index(
    api: Api, path: str, window: Window, error: ServerFailed
) -> AsyncIterator[list[object]]:
    """The same window by the graph, where that is not too deep. Raises the index's error."""
    try:
        async for met, _ in Graph().walk(api, path, window, DEEPEST):
            yield met.entities
    except Truncated:
        raise error from None
