"""One HTTP exchange with a platform: bytes and a status become decoded JSON or a named error.

Only here is an exchange repeated, and only a read ever is. Nothing here logs, and an error names a
request by its method, host and path alone: no token, password or body is in anything printed.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import quote, urlencode

import aiohttp
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt
from tenacity import wait_exponential_jitter as growing_wait
from yarl import URL

from harvester import metrics
from harvester.client.answers import NO_JSON, asked_to_wait, decoded, printable
from harvester.clock import Clock
from harvester.errors import (
    Forbidden,
    Malformed,
    PlatformError,
    RequestRefused,
    ServerFailed,
    Throttled,
    TooLarge,
    TransientError,
    Unauthorized,
    Unreachable,
)

LARGEST_BODY = 4 * 2**20  # bytes of an answer, decompressed: decoded, it is ten times that
CONNECT_SECONDS = 30.0  # for the name, the connection and TLS together
READ_SECONDS = 120.0  # without a byte; some platforms think that long
WHOLE_SECONDS = 600.0  # or an answer that drips would hold its slot for ever
TRIES = 4  # of one read, the first included
PATIENCE = timedelta(seconds=60)  # after its first try a read is repeated no later than this
LONGEST_QUIET = timedelta(hours=1)  # a platform that asks for more is asked again after this

_PIECE = 2**16
_REFUSED_READS: Mapping[int, type[PlatformError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: Forbidden,
}

Params = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class _Request:
    """A read has a bearer; what is sent once has none."""

    method: str
    url: URL
    options: Mapping[str, Any] = field(repr=False)
    bearer: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        port = f":{self.url.explicit_port}" if self.url.explicit_port else ""
        return printable(f"{self.method} {self.url.host}{port}{self.url.raw_path}")


class Client:
    """The exchanges of one tenant with its platform; at most `concurrency` at a time.

    `largest_body` is in decompressed bytes. `exchanges` counts those that ended, however they did.
    """

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        *,
        tenant: str,
        platform: str,
        concurrency: int,
        largest_body: int = LARGEST_BODY,
    ) -> None:
        base = URL(base_url)
        self._base = str(base).rstrip("/")
        self._origin = (base.scheme, base.host, base.port)
        self._clock = clock
        self._labels = (tenant, platform)
        self._slots = asyncio.Semaphore(concurrency)
        self._largest_body = largest_body
        self._quiet_until = clock.now()
        self.exchanges = 0

    async def __aenter__(self) -> Self:
        self._reads = _session(force_close=False)
        # A kept connection may be dead already, and nobody could tell then whether a refresh token
        # was used: what is sent once goes over a connection of its own.
        self._posts = _session(force_close=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reads.close()
        await self._posts.close()

    async def get(self, url_or_path: str, params: Params | None, bearer: str) -> object:
        """The decoded JSON answer; `url_or_path` comes percent-encoded.

        A transient failure is repeated a few times while patience lasts; a longer `Retry-After` is
        raised at once, and nothing is read for this tenant until its end. Raises Unreachable,
        Throttled, ServerFailed, Malformed, TooLarge, Unauthorized (401), Forbidden (403, 404),
        RequestRefused (other 4xx and redirects; with status 0 what is never sent: a token to
        another host, plain http to another machine).
        """
        url = self._url(url_or_path, params)
        request = _Request("GET", url, {"headers": {"Authorization": f"Bearer {bearer}"}}, bearer)
        if (url.scheme, url.host, url.port) != self._origin:
            raise RequestRefused(f"{request}: the token is for another host", 0)
        if not (bearer and bearer.isascii() and bearer.isprintable()):
            raise Unauthorized(f"{request}: the access token cannot stand in a header")
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(TransientError),
            stop=partial(self._is_enough, self._clock.now()),
            wait=_wait,
            sleep=self._sleep,
            reraise=True,
        )
        return await retrying(self._exchange, request)

    async def post_once(
        self, url: str, *, form: Params | None = None, json: object = None
    ) -> object:
        """The decoded JSON answer to what is sent once, never again by itself.

        Raises RequestRefused (3xx and 4xx, with the decoded body, None where it is no JSON),
        Unreachable, Throttled, ServerFailed, Malformed, TooLarge.
        """
        body = {"json": json} if form is None else {"data": form}
        return await self._exchange(_Request("POST", self._url(url, None), body))

    def _url(self, url_or_path: str, params: Params | None) -> URL:
        absolute = url_or_path.startswith(("http://", "https://"))
        text = url_or_path if absolute else f"{self._base}/{url_or_path.removeprefix('/')}"
        if params:
            text += ("&" if "?" in text else "?") + urlencode(params, quote_via=quote)
        # yarl would un-escape what was escaped on purpose, such as %3A.
        url = URL(text, encoded=True)
        if not _private(url):
            raise RequestRefused(f"{url.host}: without TLS only this machine is spoken to", 0)
        return url

    async def _exchange(self, request: _Request) -> object:
        async with self._slots:
            self._check_quiet(request)
            began = asyncio.get_running_loop().time()
            try:
                answer = await self._answered(request)
            except PlatformError as error:
                self._count(error.reason, began)
                if isinstance(error, Throttled) and error.retry_after:
                    asked = min(error.retry_after, LONGEST_QUIET)
                    metrics.THROTTLE_WAIT.labels(*self._labels).inc(asked.total_seconds())
                raise
            finally:
                self.exchanges += 1  # one that was given up too: whoever waited for it gets on
            self._count("ok", began)
            return answer

    def _check_quiet(self, request: _Request) -> None:
        """What one read was asked for is asked of all; a token call has its own patience."""
        left = self._quiet_until - self._clock.now()
        # More than was ever asked for: the clock was set back since.
        if request.bearer and timedelta() < left <= LONGEST_QUIET:
            raise Throttled(f"{request}: not sent, for the platform asked for patience", left)

    def _count(self, outcome: str, began: float) -> None:
        passed = asyncio.get_running_loop().time() - began
        metrics.REQUESTS.labels(*self._labels, outcome).inc()
        metrics.REQUEST_DURATION.labels(*self._labels).observe(passed)

    async def _answered(self, request: _Request) -> object:
        session = self._reads if request.bearer else self._posts
        try:
            async with session.request(
                request.method, request.url, allow_redirects=False, **request.options
            ) as response:
                self._refuse(request, response)
                return _json(request, response, await self._body(request, response))
        except (aiohttp.ClientError, OSError) as error:
            why = _why(error)
        # Raised out here, or the library's error would hang on ours with the request's headers.
        raise Unreachable(f"{request}: {why}")

    def _refuse(self, request: _Request, response: aiohttp.ClientResponse) -> None:
        """Raise what the status says, whatever the body is."""
        message = f"{request}: {response.status}"
        asked = asked_to_wait(response.headers, self._clock.now())
        if response.status == 429 or (response.status == 503 and asked is not None):
            if request.bearer and asked is not None:
                until = self._clock.now() + min(asked, LONGEST_QUIET)
                self._quiet_until = max(self._quiet_until, until)
            raise Throttled(message, asked)
        if response.status >= 500:
            raise ServerFailed(message)
        if request.bearer and response.status in _REFUSED_READS:
            raise _REFUSED_READS[response.status](message)

    async def _body(self, request: _Request, response: aiohttp.ClientResponse) -> bytearray:
        body = bytearray()
        async for piece in response.content.iter_chunked(_PIECE):
            body += piece
            if len(body) > self._largest_body:
                raise TooLarge(f"{request}: more than {self._largest_body} bytes")
        return body

    def _is_enough(self, began: datetime, state: RetryCallState) -> bool:
        passed = self._clock.now() - began + timedelta(seconds=state.upcoming_sleep)
        return passed > PATIENCE or stop_after_attempt(TRIES)(state)

    async def _sleep(self, seconds: float) -> None:
        await self._clock.sleep_until(self._clock.now() + timedelta(seconds=seconds))


def _why(error: aiohttp.ClientError | OSError) -> str:
    if not isinstance(error, aiohttp.ClientOSError):
        return type(error).__name__  # its words may hold the URL with its query
    if isinstance(error, aiohttp.ClientSSLError):
        return printable(str(error))
    number = error.errno or 0
    # asyncio's words name the address once more. Those of a name server have a negative number.
    words = printable((os.strerror(number) if number > 0 else error.strerror) or str(error))
    connecting = isinstance(error, aiohttp.ClientConnectorError)
    return f"cannot be reached: {words}" if connecting else words


def _session(*, force_close: bool) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        # No limit: the slots are ours, so that no time-out runs while a request waits for one.
        connector=aiohttp.TCPConnector(limit=0, force_close=force_close),
        timeout=aiohttp.ClientTimeout(
            total=WHOLE_SECONDS, connect=CONNECT_SECONDS, sock_read=READ_SECONDS
        ),
        headers={"Accept": "application/json", "User-Agent": "harvester"},
        # One account's cookie must not travel with another's token.
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _private(url: URL) -> bool:
    """Whether nobody on the way can read along."""
    if url.scheme == "https" or url.host == "localhost":
        return True
    with suppress(ValueError):
        return ip_address(url.host or "").is_loopback
    return False


def _json(request: _Request, response: aiohttp.ClientResponse, body: bytearray) -> object:
    told = decoded(body)
    message = f"{request}: {response.status}"
    if response.status >= 300:
        raise RequestRefused(message, response.status, None if told is NO_JSON else told)
    if told is NO_JSON:
        kind = response.headers.get("Content-Type", "no type")
        what = f"{printable(kind)}, not JSON" if body else "an empty body"
        raise Malformed(f"{message} with {what}", _excerpt(request, body))
    return told


def _excerpt(request: _Request, body: bytearray) -> str:
    """Nothing of a login's answer, whose beginning is the token; a debug page may echo a read's."""
    if request.bearer is None:
        return ""
    shown = body.replace(request.bearer.encode(), b"***")
    return printable(shown[:_PIECE].decode(errors="replace"))


def _wait(state: RetryCallState) -> float:
    """Seconds until the next try: what was asked for, and a growing wait with some chance in it."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, Throttled) else None
    own = growing_wait(initial=1, max=15, jitter=1)(state)
    return own + (asked.total_seconds() if asked else 0.0)
