"""What can be asked over HTTP: `/metrics`, `/healthz` and `/readyz`."""

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from harvester.errors import AddressError

LEAVE_AFTER = 1.0
"""Seconds that a stop waits for open requests; a scrape comes again by itself."""
_SCRAPES = ThreadPoolExecutor(1)
"""The loop's own threads are few, and names that nobody resolves hold them for half a minute."""


Wrong = Callable[[], Sequence[str]]
"""What is wrong now, a sentence each."""


@asynccontextmanager
async def serve(host: str, port: int, *, ill: Wrong, wanting: Wrong) -> AsyncIterator[str]:
    """Answer at the yielded address until the context ends. Port 0 picks a free one.

    `/healthz` tells what is `ill`, and `/readyz` what is `wanting`: 503 with a line each, or 200.
    Raises AddressError where the address cannot be had.
    """
    app = web.Application()
    app.router.add_get("/metrics", _metrics)
    app.router.add_get("/healthz", _telling(ill))
    app.router.add_get("/readyz", _telling(wanting))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=LEAVE_AFTER)
    await runner.setup()
    try:
        await _listen(runner, host, port)
        bound: int = runner.addresses[0][1]
        yield f"http://{_authority(host, bound)}"
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        where = _authority(host, port)
        if error.errno == errno.EADDRINUSE:
            raise AddressError(
                f"web.port: {where} is in use by another program; "
                "choose another port, or 0 for any free one"
            ) from None
        raise AddressError(f"web.host, web.port: {where} cannot be had: {error.strerror}") from None


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _metrics(request: web.Request) -> web.Response:
    encode, kind = choose_encoder(request.headers.get("Accept", ""))
    # Off the loop: ten thousand series take a tenth of a second.
    text = await asyncio.get_running_loop().run_in_executor(_SCRAPES, encode, REGISTRY)
    return web.Response(body=text, headers={"Content-Type": kind})


def _telling(wrong: Wrong) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_request: web.Request) -> web.Response:
        lines = wrong()
        return web.Response(status=503 if lines else 200, text="\n".join(lines or ["ok"]) + "\n")

    return answer
