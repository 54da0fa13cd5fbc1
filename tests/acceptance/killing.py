"""The daemon, armed: it kills its own process at one point of a token call.

What the points stand around is wrapped in this process alone; nothing in the package knows of it.
The point counts in calls of GRANT, for who asks for none yet stands before any; `POINT:2` is its
second passage. MARK is made there, so that nobody takes another death for this one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp.client_proto import ResponseHandler

from harvester import client
from harvester.auth.keeper import Keeper
from harvester.auth.life import RENEWING
from harvester.auth.spill import Spill
from harvester.client import Client
from harvester.store import credentials, leases


class Armed:
    """Where it ends. `asked` is the grant that was last intended."""

    def __init__(self, mark: str, point: str, grant: str) -> None:
        self._mark = Path(mark)
        self._point, _, number = point.partition(":")
        self._left = int(number or 1)
        self._grant = grant
        self.asked: str | None = None
        self.unanswered = False

    def passes(self, point: str, *, of_any: bool = False) -> None:
        """The process is at `point`, of a call of the grant that was intended, or `of_any`."""
        if point != self._point or not (of_any or self.asked == self._grant):
            return
        self._left -= 1
        if self._left == 0:
            self._mark.write_text(point)
            os.kill(os.getpid(), signal.SIGKILL)

    def intends(self, standing: credentials.SealedLife) -> bool:
        """Whether this is written before a token call."""
        if standing.state == RENEWING:
            self.asked = standing.asked_grant
        return standing.state == RENEWING


def around(
    place: Any,
    name: str,
    before: Callable[..., object] = lambda *_: None,
    after: Callable[..., object] = lambda *_: None,
) -> None:
    """Call `before` and `after` with the arguments of a coroutine function that stands there."""
    inner = getattr(place, name)

    async def wrapped(*arguments: Any, **named: Any) -> Any:
        before(*arguments)
        result = await inner(*arguments, **named)
        after(*arguments)
        return result

    setattr(place, name, wrapped)


def ahead_of(place: Any, name: str, before: Callable[..., object]) -> None:
    """Call `before` with the arguments of a plain function that stands there."""
    inner = getattr(place, name)

    def wrapped(*arguments: Any) -> Any:
        before(*arguments)
        return inner(*arguments)

    setattr(place, name, wrapped)


def arm(armed: Armed) -> None:
    """Wrap what the points stand around, in the order in which a renewal comes by."""

    def at(point: str, *, of_any: bool = False) -> Callable[..., None]:
        return lambda *_: armed.passes(point, of_any=of_any)

    # Nothing is intended yet there; a lease is only taken by who wants to call.
    around(leases, "take_account", at("before_lease", of_any=True), at("after_lease", of_any=True))
    _arm_intent(armed)
    _arm_call(armed, at)
    around(Spill, "write", at("before_spill"), at("after_spill"))
    ahead_of(os, "fsync", at("in_spill"))  # the file is whole, and the disk may not have it yet
    around(credentials, "save", at("before_commit"), at("after_commit"))
    around(credentials, "_save", after=at("in_commit"))
    around(Spill, "erase", after=at("before_hand_out"))
    around(Keeper, "_next", after=at("after_hand_out"))


def _arm_intent(armed: Armed) -> None:
    def met(point: str, standing: credentials.SealedLife) -> None:
        if armed.intends(standing):
            armed.passes(point)

    around(
        credentials,
        "stand",
        lambda *given: met("before_intent", given[3]),
        lambda *given: met("after_intent", given[3]),
    )
    around(credentials, "_stand", after=lambda *given: met("in_intent", given[2]))


def _arm_call(armed: Armed, at: Callable[[str], Callable[..., None]]) -> None:
    def begins(*_: object) -> None:
        armed.passes("before_send")
        armed.unanswered = True

    def arrives(*_: object) -> None:
        """The first bytes of the answer: the platform has done it, and we read none of them."""
        if armed.unanswered:
            armed.unanswered = False
            armed.passes("after_send")

    around(Client, "post_once", begins)
    ahead_of(ResponseHandler, "data_received", arrives)
    whole = at("after_answer")
    ahead_of(client, "json_of", lambda request, *_: None if request.is_read else whole())
