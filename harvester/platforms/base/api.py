"""Through what an adapter speaks with its platform; who implements it waits, renews and counts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from harvester.model import Said

Params = Mapping[str, str | int]


class Exchange(Protocol):
    """One HTTP exchange that is no read, as `client` offers it. Used for token calls only."""

    async def post_once(
        self,
        url: str,
        *,
        form: Params | None = None,
        json: object = None,
        bearer: str | None = None,
    ) -> object:
        """Send once, never again by itself; the decoded JSON answer, None for an empty 2xx one.

        `bearer` is for the few token calls that are made with a token; no other sends one. Raises
        RequestRefused (4xx with `status` and decoded `body`), TransientError, Malformed.
        """
        ...


class Socket(Protocol):
    """A WebSocket of one account. What arrives is kept until it is taken, within bounds.

    What is kept can be taken also when the socket is over. Beside that, whatever ended it is raised
    by all of these from then on: Unreachable, or TooLarge where more came than is kept.
    """

    async def send(self, message: object) -> None:
        """Send it as a text of JSON."""

    async def receive(self) -> object:
        """The next message, decoded: waited for. Raises Malformed where it is no JSON."""

    def take(self) -> list[object]:
        """All messages that have arrived and were not received yet, decoded; None for what is no
        JSON. Raises what ended the socket only where there is no message left.
        """

    async def alive(self) -> datetime:
        """Return once the platform has answered a ping: the instant, by our clock, of the ping.

        What the platform sent before it can be taken then.
        """

    async def close(self) -> None: ...


class Api(Protocol):
    """Reads on behalf of one account: the token, its renewal and retries are not the adapter's."""

    async def get(self, path: str, params: Params | None = None) -> object:
        """The decoded JSON answer of GET `path` (relative to the platform's base URL).

        Raises TransientError, Malformed, TooLarge, Forbidden, RequestRefused, TokenError.
        """
        ...


class SocketApi(Api, Protocol):
    """Reads, and a way to be told without asking."""

    async def socket(self, url: str, greet: Callable[[Socket, str], Awaitable[None]]) -> Socket:
        """A WebSocket to `url`, once `greet` has proven the account with the access token it gets.

        `greet` raises Unauthorized where the token is refused: it is renewed once. Raises
        TransientError, Malformed, RequestRefused, TokenError, and what `greet` raises.
        """
        ...


class Listening(Protocol):
    """What the platform sends by itself to one account, of one stream."""

    since: datetime
    """By our clock: all that arrived at the platform from then on is sent."""

    async def heard(self) -> tuple[Sequence[Said], datetime]:
        """What came since the last call, and until when nothing can be missing, by our clock.

        That instant is never before the last one; it is the same where nothing more is proven.
        Raises PlatformError: then it is over.
        """

    async def close(self) -> None: ...
