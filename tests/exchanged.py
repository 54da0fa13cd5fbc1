"""A server on loopback that answers as it is told, and a client that talks to it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harvester.client import Bearer, Client
from harvester.platforms.base import Params
from harvester.simulator.clock import HandClock

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEARER = "eyJ.secret-bearer.xyz"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LeapClock(HandClock):
    """Moves itself to wherever somebody wants to sleep until."""

    async def sleep_until(self, instant: datetime) -> None:
        self.set(max(instant, self.now()))

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return (self.now() - START).total_seconds()


@dataclass(slots=True)
class Talk:
    """`answers` are given in turn, the last one again and again; the lists say what was asked."""

    answers: list[Answer]
    clock: LeapClock = field(default_factory=lambda: LeapClock(START))
    asked: list[web.Request] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)  # the client's, one a connection
    url: str = ""
    client: Client = field(init=False)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert request.transport
        self.asked.append(request)
        self.bodies.append(await request.text())
        self.ports.append(request.transport.get_extra_info("peername")[1])
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)

    async def get(self, path: str = "/x", bearer: str = BEARER) -> object:
        return await self.client.get(path, None, bears(bearer))


def bears(token: str) -> Bearer:
    """Always the same."""

    async def bearer() -> str:
        return token

    return bearer


@dataclass(slots=True)
class OneToken:
    """`platforms.base.Api` with one token, which is never renewed."""

    client: Client
    access: str

    async def get(self, path: str, params: Params | None = None) -> object:
        return await self.client.get(path, params, bears(self.access))


@asynccontextmanager
async def talking(
    *answers: Answer, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[Talk]:
    """`options` are the client's; its cap is 10,000 bytes unless they say more."""
    talk = Talk(list(answers))
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", talk.answer)
    settings: dict[str, Any] = {
        "tenant": "acme",
        "platform": "p",
        "concurrency": 4,
        "largest_body": 10_000,
    }
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        talk.url = f"http{'s' if tls else ''}://{host}:{runner.addresses[0][1]}"
        async with Client(talk.url, talk.clock, **settings | options) as talk.client:
            yield talk
    finally:
        await runner.cleanup()


def said(status: int, body: object = None, **headers: str) -> Answer:
    """JSON, at the start. `Retry_After` stands for the header Retry-After."""
    named = {"Date": format_datetime(START, usegmt=True)}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=named)

    return answer


def raw(
    body: str | bytes, kind: str = "application/json", status: int = 200, coding: str = "identity"
) -> Answer:
    """Whatever it is; `coding` says how `body` is compressed already."""
    data = body.encode() if isinstance(body, str) else body
    headers = {"Content-Type": kind, "Content-Encoding": coding}

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=data, status=status, headers=headers)

    return answer


async def cut(request: web.Request) -> web.StreamResponse:
    """The beginning of an answer, and then the connection breaks."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"readings": [')
    assert request.transport
    request.transport.close()
    return response


async def garbage(request: web.Request) -> web.StreamResponse:
    """What is no HTTP."""
    assert request.transport
    request.transport.write(b"HTTP/1.1 banana\r\n\r\n")
    request.transport.close()
    return web.Response()


async def hang(_: web.Request) -> web.StreamResponse:
    """No answer at all."""
    await asyncio.Event().wait()
    raise AssertionError


def self_signed(folder: Path) -> ssl.SSLContext:
    """A certificate of a server's own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    valid = builder.not_valid_before(START - timedelta(days=9)).not_valid_after(START.replace(2099))
    pem = valid.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    pem += key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "both.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context
