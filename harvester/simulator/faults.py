"""Planned faults. They alter answers, never the world: what is true stays true.

A fault's kind is a callable in the way of a middleware: it gets the request and the honest
answer as a coroutine function, and gives what goes out. The functions at the end build kinds.
"""

import re
from asyncio import sleep
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Kind = Callable[[web.Request, Answer], Awaitable[web.StreamResponse]]
Match = str | re.Pattern[str] | Callable[[web.Request], bool]


class Refusal(Exception):
    """The fake declines. Raised by handlers and faults; each fake puts it in its own words."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


@dataclass(slots=True)
class Fault:
    """What shall befall which requests, how often.

    `match` is a part of, or a regular expression found in, "METHOD /path?query" as sent; or a
    predicate. `times` None means until it is taken out. `fired` counts.
    """

    match: Match
    kind: Kind
    times: int | None = 1
    fired: int = 0

    def meets(self, request: web.Request) -> bool:
        if self.times is not None and self.fired >= self.times:
            return False
        line = f"{request.method} {request.raw_path}"
        if isinstance(self.match, str):
            return self.match in line
        if isinstance(self.match, re.Pattern):
            return self.match.search(line) is not None
        return self.match(request)


@dataclass(slots=True)
class Faults:
    """The plan of one fake. All faults that meet a request befall it, the last added outermost."""

    planned: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> Fault:
        self.planned.append(fault)
        return fault

    def clear(self) -> None:
        self.planned.clear()

    async def answer(self, request: web.Request, honest: Answer) -> web.StreamResponse:
        for fault in self.planned:
            if fault.meets(request):
                fault.fired += 1
                honest = _through(fault.kind, honest)
        return await honest(request)


def _through(kind: Kind, inner: Answer) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await kind(request, inner)

    return answer


def html_page() -> Kind:
    """A page for people, with status 200, as a proxy or a login wall sends; nothing is done."""

    async def kind(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        page = "<!doctype html><html><body><h1>We'll be back soon</h1></body></html>"
        return web.Response(text=page, content_type="text/html")

    return kind


def refuse(status: int) -> Kind:
    """An error with `status` (401, 403, 500, 503 …) in the fake's own form; nothing is done."""

    async def kind(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        raise Refusal(status)

    return kind


def oversized(size: int) -> Kind:
    """The honest answer, padded with blanks (which JSON permits) to at least `size` bytes."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        answer = await honest(request)
        if isinstance(answer, web.Response) and isinstance(answer.body, bytes):
            answer.body = answer.body.ljust(size)
        return answer

    return kind


def delay(seconds: float) -> Kind:
    """The honest answer, made at once and held back: what the call did is done by then."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        answer = await honest(request)
        await sleep(seconds)
        return answer

    return kind
