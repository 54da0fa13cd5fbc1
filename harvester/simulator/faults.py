"""Planned faults. They alter answers, never the world: what is true stays true.

A fault's kind is a callable in the way of a middleware: it gets the request and the honest
answer as a coroutine function, and gives what goes out. The functions at the end build kinds.
"""

import re
from asyncio import sleep
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime

from aiohttp import web

# How often a fake that keeps silent looks whether anybody still waits.
LISTENS_EVERY_SECONDS = 0.05

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Kind = Callable[[web.Request, Answer], Awaitable[web.StreamResponse]]
Match = str | re.Pattern[str] | Callable[[web.Request], bool]


class Refusal(Exception):
    """The fake declines. Raised by handlers and faults; each fake puts it in its own words."""

    def __init__(
        self, status: int, message: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.headers = headers or {}


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


def throttle(retry_after: timedelta | datetime) -> Kind:
    """A 429 that asks for patience, in whole seconds or until an HTTP date; nothing is done."""
    if isinstance(retry_after, datetime):
        asked = format_datetime(retry_after, usegmt=True)  # takes none but UTC
    else:
        asked = str(retry_after // timedelta(seconds=1))

    async def kind(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        raise Refusal(429, headers={"Retry-After": asked})

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


def hang() -> Kind:
    """No answer at all, as long as anybody waits for it; nothing is done."""

    async def kind(request: web.Request, _honest: Answer) -> web.StreamResponse:
        return await silence(request)

    return kind


async def silence(request: web.Request) -> web.StreamResponse:
    """Wait until whoever asked has gone."""
    # Nobody tells when a connection ends.
    while request.transport is not None:  # noqa: ASYNC110
        await sleep(LISTENS_EVERY_SECONDS)
    return web.Response()


def drip(size: int, pause: float) -> Kind:
    """The honest answer, `size` bytes at a time with `pause` seconds after each."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        answer, body = await _begun(request, honest)
        with suppress(ConnectionResetError):  # nobody waits for it any more
            for start in range(0, len(body), size):
                await answer.write(body[start : start + size])
                await sleep(pause)
        return answer

    return kind


def cut(after: int) -> Kind:
    """The honest answer, of which `after` bytes arrive and never the last one: what the call did
    is done, and the connection ends."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        answer, body = await _begun(request, honest)
        await answer.write(body[:-1][:after])
        if request.transport:
            request.transport.close()
        return answer

    return kind


async def _begun(request: web.Request, honest: Answer) -> tuple[web.StreamResponse, bytes]:
    """The honest answer with its head sent, and its body, which is not."""
    answer = await honest(request)
    body = answer.body if isinstance(answer, web.Response) else None
    told = body if isinstance(body, bytes) else b""
    head = {"Content-Type": answer.content_type, "Content-Length": str(len(told))}
    begun = web.StreamResponse(status=answer.status, headers=head)
    await begun.prepare(request)
    return begun, told
