"""Connections to a platform, and why one failed."""

import os
from collections.abc import Sequence

import aiohttp

from harvester.client.answers import printable

CONNECT_SECONDS = 30.0  # for the name, the connection and TLS together
READ_SECONDS = 120.0  # without a byte; some platforms think that long
WHOLE_SECONDS = 600.0  # or an answer that drips would hold its slot for ever
CALL_SECONDS = 90.0  # of what is sent once; a lease waits for its end

NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
"""Failures before anything of a request was sent."""


def why(error: aiohttp.ClientError | OSError) -> str:
    """In words that hold neither a query nor a header."""
    if not isinstance(error, aiohttp.ClientOSError):
        return type(error).__name__  # its words may hold the URL with its query
    if isinstance(error, aiohttp.ClientSSLError):
        return printable(str(error))
    number = error.errno or 0
    # asyncio's words name the address once more. Those of a name server have a negative number.
    words = printable((os.strerror(number) if number > 0 else error.strerror) or str(error))
    connecting = isinstance(error, aiohttp.ClientConnectorError)
    return f"cannot be reached: {words}" if connecting else words


def for_reads() -> aiohttp.ClientSession:
    """Connections are kept, for what may be sent again."""
    return _session(WHOLE_SECONDS, force_close=False)


def for_calls() -> aiohttp.ClientSession:
    """A connection of its own for what is sent once.

    A kept one may be dead already, and nobody could tell then whether a refresh token was used.
    """
    return _session(CALL_SECONDS, force_close=True)


def for_sockets() -> aiohttp.ClientSession:
    """Connections that become WebSockets. The time is that of becoming one."""
    return _session(CONNECT_SECONDS, force_close=True, middlewares=(_upgraded,))


async def _upgraded(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Raise for a redirect too, which would be followed: with a token to anybody's server."""
    response = await handler(request)
    if response.status != 101:
        response.close()
        raise aiohttp.WSServerHandshakeError(
            response.request_info,
            response.history,
            status=response.status,
            headers=response.headers,
        )
    return response


def _session(
    whole: float,
    *,
    force_close: bool,
    middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        # No limit: the slots are ours, so that no time-out runs while a request waits for one.
        connector=aiohttp.TCPConnector(limit=0, force_close=force_close),
        timeout=aiohttp.ClientTimeout(total=whole, connect=CONNECT_SECONDS, sock_read=READ_SECONDS),
        headers={"Accept": "application/json", "User-Agent": "harvester"},
        # One account's cookie must not travel with another's token.
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=middlewares,
    )
