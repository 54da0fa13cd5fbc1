"""What can be asked over HTTP: `/metrics`, and whether the loop is alive."""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from harvester.errors import UserError

LEAVE_AFTER = 1.0
"""Seconds that a stop waits for open requests; a scrape comes again by itself."""


@asynccontextmanager
async def serve(host: str, port: int) -> AsyncIterator[str]:
    """Answer at the yielded address until the context ends. Port 0 picks a free one.

    Raises UserError where the address cannot be had.
    """
    app = web.Application()
    app.router.add_get("/metrics", _metrics)
    app.router.add_get("/healthz", _healthz)
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
            raise UserError(
                f"web.port: {where} is in use by another program; "
                "choose another port, or 0 for any free one"
            ) from None
        raise UserError(f"web.host, web.port: {where} cannot be had: {error.strerror}") from None


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _metrics(request: web.Request) -> web.Response:
    encode, kind = choose_encoder(request.headers.get("Accept", ""))
    # Off the loop: ten thousand series take a tenth of a second.
    text = await asyncio.to_thread(encode, REGISTRY)
    return web.Response(body=text, headers={"Content-Type": kind})


async def _healthz(_request: web.Request) -> web.Response:
    return web.Response(text="ok")
