"""Readings of a feed's window, by whichever way the feed goes."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import islice

from harvester.errors import ServerFailed, Truncated
from harvester.model import Feed, Sample, Window
from harvester.platforms.base import Api
from harvester.platforms.usergrid import instants, sources
from harvester.platforms.usergrid.asking import FIRST_LOOK, Asking
from harvester.platforms.usergrid.entities import samples
from harvester.platforms.usergrid.graph import Graph
from harvester.platforms.usergrid.live import Live
from harvester.platforms.usergrid.options import UsergridOptions
from harvester.platforms.usergrid.pages import below
from harvester.platforms.usergrid.sources import Source

BATCH = 10_000
"""Samples handed on at once: an entity may hold any number of them."""
DEEPEST = 20
"""Pages of the graph in place of the index: what lies deeper waits until that is back."""


class Readings:
    """How the readings of one tenant are pulled, and what was learned from that."""

    def __init__(self, options: UsergridOptions) -> None:
        self._options = options
        self._live = Live()
        self._sweeping = Graph()
        self._instead = Graph()

    @property
    def behind(self) -> timedelta | None:
        return self._live.behind

    async def pulled(self, api: Api, feed: Feed, window: Window) -> AsyncIterator[list[Sample]]:
        """All samples of the window, and of what else was met.

        Raises Truncated where an answer cannot be proven complete, Malformed, and the errors of
        `Api`.
        """
        source = sources.source(self._options, feed.key)
        async for entities in self._entities(api, source, window):
            told = (s for each in entities for s in samples(each, source.reading, source.device))
            while batch := list(islice(told, BATCH)):
                yield batch

    async def _entities(
        self, api: Api, source: Source, window: Window
    ) -> AsyncIterator[list[object]]:
        path = below(self._options.root, source.path)
        if source.way == "graph":
            async for entities in self._sweeping.walk(api, path, window):
                yield entities
            return
        asking = Asking(api, path, source.way, window)
        try:
            async for entities in asking.pages():
                yield entities
        except ServerFailed as error:
            if source.way == "modified":  # by which the graph has no order
                raise
            async for entities in self._past_the_index(api, path, window, error):
                yield entities
            return
        if source.way == "created" and asking.ended_within(self._of_late):
            async for entities in self._live.looked(api, path, asking):
                yield entities

    @property
    def _of_late(self) -> int:
        """Milliseconds: longer ago than the newest window ends, and not as long as a look's."""
        return max(FIRST_LOOK, 2 * self._options.index_lag // instants.MS)

    async def _past_the_index(
        self, api: Api, path: str, window: Window, error: ServerFailed
    ) -> AsyncIterator[list[object]]:
        """The same window by the graph, where that is not too deep. Raises the index's error."""
        try:
            async for entities in self._instead.walk(api, path, window, DEEPEST):
                yield entities
        except Truncated:
            raise error from None
