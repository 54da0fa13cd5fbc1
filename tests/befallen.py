"""What befalls a request at a fake: other words, one trouble, a wait until the test allows it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import TypeVar

from aiohttp import web

from harvester.errors import ServerFailed, Throttled, TransientError
from harvester.simulator.faults import Answer, Fault, Faults, Kind, Refusal, refuse, throttle

Trouble = tuple[Kind, type[TransientError]]
"""What befalls requests, and what whoever asks is told then."""
TROUBLE: Mapping[str, Trouble] = {
    "throttled": (throttle(timedelta()), Throttled),
    "failed": (refuse(500), ServerFailed),
    "unavailable": (refuse(503), ServerFailed),
}

Told = TypeVar("Told")


def says(text: str, status: int = 200) -> Kind:
    """Other words than the honest ones."""

    async def kind(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        return web.json_response(text=text, status=status)

    return kind


def among(intruder: object) -> Kind:
    """The honest words, with one more in the midst of each list of objects in them."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        answer = await honest(request)
        if isinstance(answer, web.Response) and answer.status == 200 and answer.text:
            told = json.loads(answer.text)
            for rows in (told, *(told.values() if isinstance(told, dict) else ())):
                if isinstance(rows, list) and rows and isinstance(rows[0], dict):
                    rows.insert(len(rows) // 2, intruder)
            answer.text = json.dumps(told)
        return answer

    return kind


def slowly(wait: Callable[[], None], refused: list[int]) -> Kind:
    """The honest words, once `wait` is over; the status of each refusal goes into `refused`."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        wait()
        try:
            return await honest(request)
        except Refusal as refusal:
            refused.append(refusal.status)
            raise

    return kind


def the_next(method: str, kind: Kind, *, after: int = 0) -> Fault:
    """What befalls one request, when `after` others have passed."""
    passed: list[web.Request] = []

    def meets(request: web.Request) -> bool:
        if request.method == method:
            passed.append(request)
        return request.method == method and len(passed) > after

    return Fault(meets, kind)


def one(method: str, kind: Kind, *, after: int) -> Fault:
    """What befalls one request, however often it is repeated, when `after` others have passed."""
    passed: list[str] = []

    def meets(request: web.Request) -> bool:
        if request.method == method:
            passed.append(request.raw_path)
        return request.method == method and request.raw_path in passed[after : after + 1]

    return Fault(meets, kind, times=None)


async def endured(
    faults: Faults,
    trouble: Trouble,
    ask: Callable[[], Coroutine[None, None, Told]],
    whole: Told,
) -> None:
    """Trouble with each request in turn: it is told, or `whole` comes all the same."""
    kind, error = trouble
    for passed in count():
        faults.clear()
        fault = faults.add(one("GET", kind, after=passed))
        with suppress(error):
            assert await ask() == whole
            if not fault.fired:
                assert passed, "nothing was asked for"
                return


class Gate:
    """Holds requests back until it is opened."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, request: web.Request, honest: Answer) -> web.StreamResponse:
        self.arrived.set()
        await self.open.wait()
        return await honest(request)
