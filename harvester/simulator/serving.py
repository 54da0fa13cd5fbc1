"""What all fakes do alike: they listen on loopback, count what arrives, and tell their time."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import format_datetime
from typing import Protocol, TypeVar

from aiohttp import web
from aiohttp.typedefs import Middleware

from harvester.simulator.faults import Answer

# A client that hangs on must not hold up the end of a test.
SHUTDOWN_SECONDS = 0.2


class Listening(Protocol):
    """A fake; `url` is where it listens."""

    url: str

    def app(self) -> web.Application: ...


Fake = TypeVar("Fake", bound=Listening)


@asynccontextmanager
async def listening(fake: Fake, port: int) -> AsyncIterator[Fake]:
    """Let it listen on 127.0.0.1, on a free port where `port` is 0. Raises OSError."""
    runner = web.AppRunner(fake.app(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield fake
    finally:
        await runner.cleanup()


def counting(requests: Counter[str]) -> Middleware:
    """Count each request by "METHOD /route" when it arrives, whatever becomes of it."""

    @web.middleware
    async def count(request: web.Request, handler: Answer) -> web.StreamResponse:
        resource = request.match_info.route.resource
        requests[f"{request.method} {resource.canonical if resource else 'elsewhere'}"] += 1
        return await handler(request)

    return count


def dating(app: web.Application, now: Callable[[], datetime]) -> None:
    """Give each answer the platform's own time."""

    async def date(_request: web.Request, answer: web.StreamResponse) -> None:
        answer.headers["Date"] = format_datetime(now(), usegmt=True)

    app.on_response_prepare.append(date)
