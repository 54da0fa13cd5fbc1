"""What goes wrong in a day at one platform: an outage, and each kind of fault that the simulator
has, each once a round at a seeded instant, whatever is asked next."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from operator import itemgetter
from random import Random
from typing import Any, Literal

from aiohttp import web
from offered import Builder, builders

from harvester.client import LARGEST_BODY
from harvester.client.sessions import CALL_SECONDS, READ_SECONDS
from harvester.clock import within
from harvester.model import Window
from harvester.simulator import coiote_quirks, faults, usergrid_quirks
from harvester.simulator.clock import HandClock
from harvester.simulator.faults import Answer, Fault, Kind, Refusal

Asked = Literal["read", "token"]
GIVEN_UP: Mapping[Asked, timedelta] = {
    "read": timedelta(seconds=READ_SECONDS),
    "token": timedelta(seconds=CALL_SECONDS),
}
"""So long a client waits."""
BOTH: tuple[Asked, ...] = ("read", "token")
READ: tuple[Asked, ...] = ("read",)
TOKEN: tuple[Asked, ...] = ("token",)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)

_GIVEN: Mapping[Builder, Sequence[tuple[tuple[Asked, ...], tuple[Any, ...]]]] = {
    # A token call that is refused so stops an account, as it should, for half a day.
    faults.refuse: [
        *((READ, (status,)) for status in (401, 403, 404)),
        *((BOTH, (status,)) for status in (500, 502, 503, 504)),
    ],
    faults.throttle: [(BOTH, (40 * SECOND,)), (READ, (2 * MINUTE,))],
    faults.html_page: [(BOTH, ())],
    faults.oversized: [(BOTH, (LARGEST_BODY + 1,))],
    faults.delay: [(BOTH, (20.0,)), (BOTH, (2 * READ_SECONDS,))],
    faults.hang: [(BOTH, ())],
    faults.drip: [(READ, (2_000, 5.0))],
    faults.cut: [(BOTH, (0,)), (BOTH, (100,))],
    usergrid_quirks.inner_failure: [(TOKEN, ())],
    usergrid_quirks.unauthorized: [(READ, ("unauthorized",)), (READ, ("auth_invalid",))],
    usergrid_quirks.without_token: [(TOKEN, ())],
    usergrid_quirks.refused: [
        (READ, told)
        for told in ((400, "illegal_argument"), (500, "cursor_parse"), (404, "entity_not_found"))
    ],
    coiote_quirks.refused: [(READ, (code,)) for code in (4000, 4030, 4040, 4041, 4042, 5030, 5031)],
    coiote_quirks.page: [(READ, (200,)), (READ, (403,)), (BOTH, (502,))],
    coiote_quirks.instead: [(BOTH, ("{}",)), (BOTH, ("[]", 200))],
}
"""Of what is asked a kind befalls, and with which arguments it is built; of any other kind that
takes none: a read."""


_REFUSALS = {
    "read refuse(401)",
    "read unauthorized(auth_invalid)",
    "read unauthorized(unauthorized)",
}


@dataclass(frozen=True, slots=True)
class Mishap:
    """A kind of fault that is to befall the next request of its sort."""

    name: str
    asked: Asked
    kind: Kind

    def __str__(self) -> str:
        return f"{self.asked} {self.name}"


def mishaps(platform: str) -> Iterator[Mishap]:
    """All that may befall a request there: what is common to all platforms, and its own."""
    quirks = import_module(f"harvester.simulator.{platform}_quirks")
    for name, build, choices in [*builders(faults), *builders(quirks)]:
        given = _GIVEN.get(build) or [(READ, (each,)) for each in choices] or [(READ, ())]
        for sorts, arguments in given:
            told = ", ".join(map(str, arguments))
            yield from (Mishap(f"{name}({told})", each, build(*arguments)) for each in sorts)


class Told:
    """An honest answer as it was made, or why there was none."""

    def __init__(self, honest: Answer) -> None:
        self._honest = honest
        self._answer: web.StreamResponse | None = None
        self._body: object = None
        self.refusal: Exception | None = None

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        try:
            self._answer = await self._honest(request)
        except Exception as error:
            self.refusal = error
            raise
        self._body = _body(self._answer)
        return self._answer

    def is_told_by(self, answer: web.StreamResponse) -> bool:
        """Whether nothing was altered."""
        return answer is self._answer and _body(answer) == self._body


@dataclass(slots=True)
class Adversity:
    """What befalls the requests to one fake, and what came of it. Of a WebSocket it is the outage.

    `to_come` are in order, each with the instant from which on it may strike. `befell` are those
    that altered an answer, and when. `under_way` are requests that arrived and have no answer yet.
    `sent` counts refresh tokens, `spoilt` are those of which the answer was altered.
    """

    fake: Any
    clock: HandClock
    outage: Window
    to_come: list[tuple[datetime, Mishap]]
    befell: list[tuple[datetime, str]] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    spoilt: set[str] = field(default_factory=set)
    under_way: int = 0

    def __post_init__(self) -> None:
        self.fake.faults.add(Fault(lambda _request: True, self._answer, times=None))

    async def _answer(self, request: web.Request, honest: Answer) -> web.StreamResponse:
        if self.outage.since <= self.clock.now() < self.outage.until:
            raise Refusal(502)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await honest(request)
        self.under_way += 1
        try:
            self.sent[token := await _refresh_token(request)] += 1
            if mishap := self._due(request):
                return await self._struck(mishap, token, request, honest)
            return await honest(request)
        finally:
            self.under_way -= 1

    def _due(self, request: web.Request) -> Mishap | None:
        asked, now = "token" if request.method == "POST" else "read", self.clock.now()
        for n, (at, mishap) in enumerate(self.to_come):
            if at > now:
                break
            if mishap.asked == asked:
                return self.to_come.pop(n)[1]
        return None

    async def _struck(
        self, mishap: Mishap, token: str, request: web.Request, honest: Answer
    ) -> web.StreamResponse:
        began, told = self.clock.now(), Told(honest)
        try:
            answer = await within(self.clock, GIVEN_UP[mishap.asked], _made(mishap, request, told))
        except TimeoutError:
            answer = _given_up(request)
        except Exception as error:
            self._note(mishap, token, is_altered=error is not told.refusal)
            raise
        self._note(mishap, token, not told.is_told_by(answer) or self.clock.now() > began)
        return answer

    def _note(self, mishap: Mishap, token: str, is_altered: bool) -> None:
        """What altered nothing, as this answer had nothing of the sort, is to befall another."""
        if is_altered:
            self.befell.append((self.clock.now(), str(mishap)))
            self.spoilt.add(token)
        else:
            insort(self.to_come, (self.clock.now(), mishap), key=itemgetter(0))

    async def cut_off(self) -> None:
        """An outage ends what stands open, too."""
        await self.clock.sleep_until(self.outage.since)
        if hasattr(self.fake, "sockets"):
            self.fake.sockets.drop()

    @property
    def of_tokens(self) -> int:
        """How many befell token calls."""
        return sum(name.startswith("token ") for _, name in self.befell)

    @property
    def of_refusals(self) -> int:
        """How many said of a token that it is no good."""
        return sum(name in _REFUSALS for _, name in self.befell)

    @property
    def sent_again(self) -> list[str]:
        """Refresh tokens that were sent twice for no reason."""
        again = (token for token, times in self.sent.items() if token and times > 1)
        return [token for token in again if token not in self.spoilt]


async def _made(mishap: Mishap, request: web.Request, told: Told) -> web.StreamResponse:
    return await mishap.kind(request, told)


def _body(answer: web.StreamResponse) -> object:
    return answer.body if isinstance(answer, web.Response) else None


def _given_up(request: web.Request) -> web.StreamResponse:
    """As a client does that has waited for too long, in the time of the hand-moved clock."""
    if request.transport:
        request.transport.close()
    return web.Response()


async def _refresh_token(request: web.Request) -> str:
    """That of a form, which serves once perhaps; "" where there is none."""
    told = (await request.post()).get("refresh_token") if request.method == "POST" else ""
    return told if isinstance(told, str) else ""


def planned(platform: str, day: Window, rounds: int, dice: Random) -> list[tuple[datetime, Mishap]]:
    """Each mishap so often, spread over the day."""
    drawn = [(instant_in(day, dice), each) for _ in range(rounds) for each in mishaps(platform)]
    return sorted(drawn, key=itemgetter(0))


def instant_in(span: Window, dice: Random) -> datetime:
    return span.since + dice.random() * (span.until - span.since)
