"""All that the platform keeps of one device: what is asked for, and when an answer proves whole.

An answer of as many rows as were asked for may lack any of the others, in no order that could be
relied on: docs/platforms/devicehive.md. So what it covers is asked for again in parts, by the
messages' own instants, until each part brings fewer.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from harvester.errors import Malformed, TooLarge, Truncated
from harvester.logs import Failures
from harvester.platforms.base import Api, Params
from harvester.platforms.devicehive import instants
from harvester.platforms.devicehive.server import Generation

TAKE = 10_000
"""Messages asked for at once. The platform has no limit of its own, and gives 100 unless told."""
LEAST = 2
"""An answer of one that is full would prove nothing."""


async def rows(
    api: Api, path: str, generation: Generation, failures: Failures
) -> AsyncIterator[list[object]]:
    """The messages of each answer, until all are answered; some are in several answers.

    Raises Truncated where one millisecond has more than can be told, TooLarge where two messages
    are too large together, Malformed where it is no list, and the errors of `Api`.
    """
    parts = [WHOLE]
    while parts:
        part = parts.pop()
        try:
            answer = await api.get(path, part.params(generation))
        except TooLarge:
            parts.append(part.smaller())
            continue
        if not isinstance(answer, list):
            raise Malformed(f"{path} is no list")
        yield answer
        if len(answer) >= part.take:
            failures.failing(path, "answer_full", take=part.take)
            parts += part.divided(answer)
        elif part == WHOLE:
            failures.well(path)


@dataclass(frozen=True, slots=True)
class Part:
    """Messages by their own instants, in whole milliseconds: `first` and `last` are within."""

    first: int | None = None
    last: int | None = None
    take: int = TAKE

    def params(self, generation: Generation) -> Params:
        asked: dict[str, str | int] = {"take": self.take, "skip": 0}
        # Without these the newest come first, of which the older servers then leave some out.
        asked |= {"sortField": "timestamp", "sortOrder": "ASC"}
        beyond = 1 if generation == "3" else 0  # its bounds are exclusive
        if self.first is not None:
            asked["start"] = instants.bound(self.first - beyond)
        if self.last is not None:
            asked["end"] = instants.bound(self.last + beyond)
        return asked

    def smaller(self) -> "Part":
        """The same, fewer at once: an answer tells then where it may be divided."""
        if self.take == LEAST:
            raise TooLarge(f"{LEAST} messages are more bytes than are taken at once")
        return replace(self, take=max(LEAST, self.take // 10))

    def divided(self, answer: list[object]) -> list["Part"]:
        """Two that are narrower, with as much in either as far as the answer tells.

        Raises Truncated where there are none.
        """
        told = sorted(ms for ms in map(_told_at, answer) if ms is not None and self._holds(ms))
        if not told or self.first == self.last == told[0]:
            raise Truncated(f"{len(answer)} messages of one millisecond may not be all of them")
        middle, top = told[len(told) // 2], told[-1]
        cut = top if told[0] == top != self.last else min(middle, top - 1)
        return [self._within(self.first, cut), self._within(cut + 1, self.last)]

    def _within(self, first: int | None, last: int | None) -> "Part":
        # A millisecond has no parts: with room for few it would seem full.
        alone = first is not None and first == last
        return Part(first, last, TAKE if alone else self.take)

    def _holds(self, ms: int) -> bool:
        # An answer that does not keep to its bounds must not be asked for without end.
        return (self.first is None or self.first <= ms) and (self.last is None or ms <= self.last)


WHOLE = Part()


def _told_at(message: object) -> int | None:
    instant = instants.read(message.get("timestamp")) if isinstance(message, dict) else None
    # Beyond, there may be no millisecond before or after it to ask for.
    return instants.millis(instant) if instant and 1970 <= instant.year < 9999 else None
