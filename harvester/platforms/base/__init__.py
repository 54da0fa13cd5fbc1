"""What an adapter is: the one thing that differs from platform to platform.

A new platform is one file beside this folder with a class `Adapter(Platform)`, and its fake in
`simulator/`: docs/new-platform.md.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr

from harvester.errors import RenewalRefused
from harvester.model import (
    Credentials,
    Discovered,
    Feed,
    Meanings,
    OpenTask,
    Said,
    Stream,
    Token,
    Window,
)
from harvester.platforms.base.api import Api, Exchange, Listening, Params, Socket, SocketApi

__all__ = [
    "SHARE",
    "Access",
    "Api",
    "Exchange",
    "Listening",
    "Options",
    "Params",
    "Platform",
    "Secret",
    "Socket",
    "SocketApi",
]

SHARE = 3
"""A platform that forgets is asked so often within its retention: one poll may fail, and nothing is
lost."""


def _resolved(value: object) -> object:
    if not isinstance(value, SecretStr):
        raise ValueError(
            'give a secret by reference: { file = "…" }, { env = "…" } or { credential = "…" }'
        )
    return value


Secret = Annotated[SecretStr, BeforeValidator(_resolved)]
"""A secret setting: `config` has resolved its reference; a literal in the file is refused."""


class Options(BaseModel):
    """A tenant's settings for its platform; an adapter adds its own. Secrets are `Secret`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: str


class Access(ABC):
    """How one tenant's accounts get into a platform: all its grants, and what refusals mean."""

    Options: ClassVar[type[Options]]
    token_reasons: ClassVar[tuple[str, ...]] = ()
    """The reasons of refused logins and renewals, beside `metrics.TOKEN_REASONS`."""
    takes: ClassVar[frozenset[str]] = frozenset({"password"})
    """What an account may be configured with: password, refresh_token, access_token."""
    reuses_refresh_tokens: ClassVar[bool] = False
    """Whether a refresh token is good for any number of calls, also at once. If it may not be, it
    is spent by one call."""
    login_lasts: ClassVar[timedelta | None] = None
    """How old a login may be where a newer one sees more; None where it makes no difference."""

    @abstractmethod
    def __init__(self, options: BaseModel) -> None:
        """`options` are of this adapter's own `Options`."""

    @property
    def own_client(self) -> bool:
        """Whether the tenant has a client of its own that finds users and devices."""
        return False

    @property
    def retention(self) -> timedelta | None:
        """How long the platform keeps what it can answer, counted on the axis; None: for good."""
        return None

    def is_about_token(self, body: object) -> bool | None:
        """Whether a read that was answered 401 with this decoded body had a token that is no good.

        None: the body does not tell.
        """
        return True

    @classmethod
    def is_lasting(cls, body: object) -> bool:
        """Whether a read that was answered 5xx with this decoded body would be answered so again:
        then it is a RequestRefused, and not repeated."""
        return False

    def probe(self, credentials: Credentials) -> str | None:
        """A path that these credentials may read while their token is good; None: not known."""
        return None

    @abstractmethod
    def token_url(self, credentials: Credentials) -> str:
        """Where the token calls of these credentials go; it is asked whether it answers at all."""

    def grant(self, credentials: Credentials) -> str:
        """What `login` does, one of `metrics.GRANTS` but that of renewals."""
        return "password" if credentials.user is not None else "client_credentials"

    @abstractmethod
    async def login(self, exchange: Exchange, credentials: Credentials, now: datetime) -> Token:
        """A new token from the credentials; `now` is the instant before the call.

        Raises CredentialRefused (definite), ClientRefused (of the whole tenant), TransientError,
        Malformed.
        """

    async def renew(self, exchange: Exchange, token: Token, now: datetime) -> Token:
        """A new token from the refresh token. Platforms without refresh tokens keep this one.

        Raises RenewalRefused (log in again), CredentialRefused (definite), ClientRefused,
        TransientError, Malformed.
        """
        raise RenewalRefused("this platform has no refresh tokens")

    async def revoke(self, exchange: Exchange, credentials: Credentials, token: Token) -> bool:
        """End the token at the platform, as far as it can be; whether that was done.

        Raises PlatformError.
        """
        return False


class Platform(Access):
    """A platform as seen by one tenant: its way in, its devices, what they measured and did."""

    streams: ClassVar[tuple[Stream, ...]] = ("readings",)
    """What can be pulled. `task_reports` takes the methods of that name."""
    whole: ClassVar[frozenset[Stream]] = frozenset()
    """Streams of which each answer is all that the platform has, whatever the window: a feed is
    asked each time, and nothing is looked at again."""
    meanings: ClassVar[Meanings] = {}
    """What the types and units mean that the platform states of channels."""
    looks: ClassVar[tuple[timedelta, ...]] = (
        timedelta(hours=1),
        timedelta(hours=6),
        timedelta(hours=24),
    )
    """Ages at which a span is looked at again."""
    longest_window: ClassVar[timedelta] = timedelta(days=1)
    """The longest span asked for at once."""
    axis_is_instant: ClassVar[bool] = True
    """Whether a feed is filtered by the readings' own instants."""

    @property
    def under_way(self) -> timedelta:
        """How long the platform may take from an instant of the axis until it answers for it: the
        time since is not asked for yet."""
        return timedelta()

    @property
    def behind(self) -> timedelta | None:
        """How far what it answers windows from is behind what it took in, as last measured; None
        where that is not known."""
        return None

    def source(self, feed: Feed) -> str:
        """Where a feed's answers come from. Feeds of one source tell of the same things: they are
        pulled one after another, so that what was answered last is written last."""
        return feed.key

    async def time(self, api: Api) -> datetime | None:
        """The platform's own time now, where the axis goes by it and its clock may be another.

        Raises PlatformError.
        """
        return None

    def begin(self, stream: Stream, until: datetime) -> None:
        """A tick of a stream begins, maybe while another's goes on; its newest windows end at
        `until`. Nothing else tells what time it is."""
        del stream, until

    def listens(self, stream: Stream) -> bool:
        """Whether `listen` is to be used for the stream, beside pulling."""
        return False

    async def listen(self, api: SocketApi, stream: Stream) -> Listening:
        """Subscribe to all feeds that the account sees. Raises PlatformError."""
        raise NotImplementedError

    @abstractmethod
    def discover(self, api: Api, credentials: Credentials) -> AsyncIterator[Discovered]:
        """All devices and feeds that the account sees.

        Raises PlatformError; then nothing of it counts.
        """

    @abstractmethod
    def readings(self, api: Api, feed: Feed, window: Window) -> AsyncIterator[Sequence[Said]]:
        """All samples of the window, an answer at a time, proven complete, in any order.

        Raises PlatformError; then the window is not covered, whatever was yielded before.
        """

    def task_reports(self, api: Api, feed: Feed, window: Window) -> AsyncIterator[Sequence[Said]]:
        """All reports of tasks that changed in the window, and samples that came with them.

        As `readings` otherwise.
        """
        raise NotImplementedError

    async def task_report(self, api: Api, feed: Feed, task: OpenTask) -> Sequence[Said]:
        """How one task stands now, asked for by itself; nothing where the platform has it no more.

        Raises PlatformError.
        """
        raise NotImplementedError
