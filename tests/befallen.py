"""What befalls a request at a fake: other words, one trouble, a wait until the test allows it."""

from __future__ import annotations

import asyncio

from aiohttp import web

from harvester.simulator.faults import Answer, Fault, Kind


def says(text: str, status: int = 200) -> Kind:
    """Other words than the honest ones."""

    async def kind(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        return web.json_response(text=text, status=status)

    return kind


def the_next(method: str, kind: Kind, *, after: int = 0) -> Fault:
    """What befalls one request, when `after` others have passed."""
    passed: list[web.Request] = []

    def meets(request: web.Request) -> bool:
        if request.method == method:
            passed.append(request)
        return request.method == method and len(passed) > after

    return Fault(meets, kind)


class Gate:
    """Holds requests back until it is opened."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, request: web.Request, honest: Answer) -> web.StreamResponse:
        self.arrived.set()
        await self.open.wait()
        return await honest(request)
