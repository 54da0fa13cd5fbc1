"""One HTTP exchange with a platform: bytes and a status become decoded JSON or a named error.

Only here is an exchange repeated, and only a read ever is. Nothing here logs, and an error names a
request by its method, host and path alone: no token, password or body is in anything printed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter as growing_wait,
)
from yarl import URL

from harvester import metrics
from harvester.client import sessions, sockets
from harvester.client.answers import NO_JSON, asked_to_wait, decoded
from harvester.client.outcomes import json_of
from harvester.client.requests import Request, bearing, private
from harvester.client.sessions import NEVER_SENT, why
from harvester.client.sockets import WebSocket
from harvester.clock import Clock
from harvester.errors import (
    AnswerLost,
    Forbidden,
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
TRIES = 4  # of one read, the first included
PATIENCE = timedelta(seconds=60)  # after its first try a read is repeated no later than this
LONGEST_QUIET = timedelta(hours=1)  # a platform that asks for more is asked again after this

_PIECE = 2**16
_NOBODY_BEHIND = (502, 503, 504)
_NOT_FOR_IT = (401, 403, 404)  # it is this account that does not get it

Given = TypeVar("Given")
Params = Mapping[str, str | int]
Bearer = Callable[[], Awaitable[str]]
"""Asked for the access token right before a read is sent: it must not die in a wait."""


class Client:
    """The exchanges of one tenant with its platform; at most `concurrency` at a time.

    `largest_body` is in decompressed bytes. `exchanges` counts those that ended, however they did.
    `is_lasting` tells of the body of a read's 5xx that asking again would bring the same.
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
        is_lasting: Callable[[object], bool] | None = None,
    ) -> None:
        base = URL(base_url)
        self._base = str(base).rstrip("/")
        self._origin = (base.scheme, base.host, base.port)
        self._clock = clock
        self._labels = (tenant, platform)
        self._slots = asyncio.Semaphore(concurrency)
        self._largest_body = largest_body
        self._is_lasting = is_lasting
        self._quiet_until = clock.now()
        self.exchanges = 0

    async def __aenter__(self) -> Self:
        self._reads = sessions.for_reads()
        self._calls = sessions.for_calls()
        self._sockets = sessions.for_sockets()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reads.close()
        await self._calls.close()
        await self._sockets.close()

    async def get(self, url_or_path: str, params: Params | None, bearer: Bearer) -> object:
        """The decoded JSON answer; `url_or_path` comes percent-encoded.

        A transient failure is repeated a few times while patience lasts, each time with the token
        that `bearer` gives then; a longer `Retry-After` is raised at once, and nothing is read for
        this tenant until its end. Raises Unreachable, Throttled, ServerFailed, Malformed, TooLarge,
        Unauthorized (401), Forbidden (403, 404), RequestRefused (other 4xx, redirects, lasting 5xx;
        with status 0 what is never sent: a token to another host, plain http to another machine),
        and what `bearer` raises. A refusal has its decoded body; None where no JSON could be had.
        """
        url = self._url(url_or_path, params)
        if (url.scheme, url.host, url.port) != self._origin:
            raise RequestRefused(f"{Request('GET', url, {})}: the token is for another host", 0)
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(TransientError),
            stop=partial(self._is_enough, self._clock.now()),
            wait=_wait,
            sleep=self._sleep,
            reraise=True,
        )
        return await retrying(self._read, url, bearer)

    async def post_once(
        self,
        url: str,
        *,
        form: Params | None = None,
        json: object = None,
        bearer: str | None = None,
    ) -> object:
        """The decoded JSON answer to what is sent once, never again by itself; None if it is empty.

        It waits for no slot: whoever calls has a lease that ends. Raises RequestRefused (3xx and
        4xx, with the decoded body, None where it is no JSON), Unreachable, AnswerLost (also of an
        answer that is too large), Throttled, ServerFailed, Malformed.
        """
        body = {"json": json} if form is None else {"data": form}
        return await self._exchange(bearing("POST", self._url(url, None), body, bearer))

    async def socket(self, url: str) -> WebSocket:
        """A WebSocket to `url`, of ws:// or wss:// and of any host; no token is sent yet.

        Whoever asks for it closes it. Raises Unreachable, Throttled, ServerFailed, Malformed,
        RequestRefused (as of a read).
        """
        target = _checked(URL(url, encoded=True))
        self._check_quiet(target)
        request = Request("WebSocket", target, {})
        opened = sockets.opened(self._sockets, request, self._clock, self._largest_body)
        return await self._counted(opened)

    async def answers(self, url: str) -> bool:
        """Whether whoever is at this URL says anything, and not only a proxy before it."""
        asked = self._calls.get(self._url(url, None), allow_redirects=False)
        try:
            async with asyncio.timeout(sessions.CONNECT_SECONDS), asked as response:
                return response.status not in _NOBODY_BEHIND
        except (aiohttp.ClientError, OSError):
            return False

    def _url(self, url_or_path: str, params: Params | None) -> URL:
        absolute = url_or_path.startswith(("http://", "https://"))
        text = url_or_path if absolute else f"{self._base}/{url_or_path.removeprefix('/')}"
        if params:
            text += ("&" if "?" in text else "?") + urlencode(params, quote_via=quote)
        # yarl would un-escape what was escaped on purpose, such as %3A.
        return _checked(URL(text, encoded=True))

    async def _read(self, url: URL, bearer: Bearer) -> object:
        async with self._slots:
            self._check_quiet(url)
            return await self._exchange(bearing("GET", url, {}, await bearer()))

    async def _exchange(self, request: Request) -> object:
        return await self._counted(self._answered(request))

    async def _counted(self, sent: Coroutine[Any, Any, Given]) -> Given:
        began = asyncio.get_running_loop().time()
        try:
            answer = await sent
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

    def _check_quiet(self, url: URL) -> None:
        """What one read was asked for is asked of all; a token call has its own patience."""
        left = self._quiet_until - self._clock.now()
        # More than was ever asked for: the clock was set back since.
        if timedelta() < left <= LONGEST_QUIET:
            request = Request("GET", url, {})
            raise Throttled(f"{request}: not sent, for the platform asked for patience", left)

    def _count(self, outcome: str, began: float) -> None:
        passed = asyncio.get_running_loop().time() - began
        metrics.REQUESTS.labels(*self._labels, outcome).inc()
        metrics.REQUEST_DURATION.labels(*self._labels).observe(passed)

    async def _answered(self, request: Request) -> object:
        session = self._reads if request.is_read else self._calls
        try:
            async with session.request(
                request.method, request.url, allow_redirects=False, **request.options
            ) as response:
                await self._refuse_for_good(request, response)
                self._refuse(request, response)
                if request.is_read and response.status in _NOT_FOR_IT:
                    raise _refusal(request, response, await self._said(request, response))
                return json_of(request, response, await self._body(request, response))
        except (aiohttp.ClientError, OSError) as error:
            what = f"{request}: {why(error)}"
            lost = not request.is_read and not isinstance(error, NEVER_SENT)
        # Raised out here, or the library's error would hang on ours with the request's headers.
        raise (AnswerLost if lost else Unreachable)(what)

    async def _refuse_for_good(self, request: Request, response: aiohttp.ClientResponse) -> None:
        """Raise what a 5xx says that is no passing trouble: only its words tell."""
        if request.is_read and response.status >= 500 and self._is_lasting:
            told = await self._said(request, response)
            if self._is_lasting(told):
                raise RequestRefused(f"{request}: {response.status}", response.status, told)

    def _refuse(self, request: Request, response: aiohttp.ClientResponse) -> None:
        """Raise what the status says, whatever the body is."""
        message = f"{request}: {response.status}"
        asked = asked_to_wait(response.headers, self._clock.now())
        if response.status == 429 or (response.status == 503 and asked is not None):
            if request.is_read and asked is not None:
                until = self._clock.now() + min(asked, LONGEST_QUIET)
                self._quiet_until = max(self._quiet_until, until)
            raise Throttled(message, asked)
        if response.status == 504 and not request.is_read:
            raise AnswerLost(f"{message}, from a proxy that waited for the answer in vain")
        if response.status >= 500:
            raise ServerFailed(message)

    async def _said(self, request: Request, response: aiohttp.ClientResponse) -> object:
        """The decoded body of a refusal, whose status counts also where there is none."""
        try:
            told = decoded(await self._body(request, response))
        except (TooLarge, aiohttp.ClientError, OSError):
            return None
        return None if told is NO_JSON else told

    async def _body(self, request: Request, response: aiohttp.ClientResponse) -> bytearray:
        body = bytearray()
        async for piece in response.content.iter_chunked(_PIECE):
            body += piece
            if len(body) > self._largest_body:
                # What was granted in there is lost: a token call cannot ask for less.
                kind = TooLarge if request.is_read else AnswerLost
                raise kind(f"{request}: more than {self._largest_body} bytes")
        return body

    def _is_enough(self, began: datetime, state: RetryCallState) -> bool:
        passed = self._clock.now() - began + timedelta(seconds=state.upcoming_sleep)
        return passed > PATIENCE or stop_after_attempt(TRIES)(state)

    async def _sleep(self, seconds: float) -> None:
        await self._clock.sleep_until(self._clock.now() + timedelta(seconds=seconds))


def _checked(url: URL) -> URL:
    if not private(url):
        raise RequestRefused(f"{url.host}: without TLS only this machine is spoken to", 0)
    return url


def _refusal(request: Request, response: aiohttp.ClientResponse, body: object) -> PlatformError:
    message = f"{request}: {response.status}"
    if response.status == 401:
        return Unauthorized(message, body)
    return Forbidden(message, response.status, body)


def _wait(state: RetryCallState) -> float:
    """Seconds until the next try: what was asked for, and a growing wait with some chance in it."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, Throttled) else None
    own = growing_wait(initial=1, max=15, jitter=1)(state)
    return own + (asked.total_seconds() if asked else 0.0)
