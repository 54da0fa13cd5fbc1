"""What an adapter is: the one thing that differs from platform to platform.

A new platform is one file beside this one with a class `Adapter(Platform)`, and its fake in
`simulator/` (see `simulator/fakes.py`): the contract tests find both. `docs/platforms/NAME.md`
says what it relies on and how firmly that is known.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr

from harvester.errors import RenewalRefused
from harvester.model import Credentials, Discovered, Feed, Sample, Token, Window

Params = Mapping[str, str | int]


class Exchange(Protocol):
    """One HTTP exchange without a token, as `client` offers it. Used for logins only."""

    async def post_once(
        self, url: str, *, form: Params | None = None, json: object = None
    ) -> object:
        """Send once, never again by itself; the decoded JSON answer.

        Raises RequestRefused (4xx with `status` and decoded `body`), TransientError, Malformed.
        """
        ...


class Api(Protocol):
    """Reads on behalf of one account: the token, its renewal and retries are not the adapter's."""

    async def get(self, path: str, params: Params | None = None) -> object:
        """The decoded JSON answer of GET `path` (relative to the platform's base URL).

        Raises TransientError, Malformed, TooLarge, Forbidden, RequestRefused, TokenError.
        """
        ...


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


class Platform(ABC):
    """A platform as seen by one tenant."""

    Options: ClassVar[type[Options]]
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
    token_reasons: ClassVar[tuple[str, ...]] = ()
    """The reasons of refused logins and renewals, beside `metrics.TOKEN_REASONS`."""

    @abstractmethod
    def __init__(self, options: BaseModel) -> None:
        """`options` are of this adapter's own `Options`."""

    @abstractmethod
    async def login(self, exchange: Exchange, credentials: Credentials, now: datetime) -> Token:
        """A new token from the credentials; `now` is the instant before the call.

        Raises CredentialRefused (definite), TransientError, Malformed.
        """

    async def renew(self, exchange: Exchange, token: Token, now: datetime) -> Token:
        """A new token from the refresh token. Platforms without refresh tokens keep this one.

        Raises RenewalRefused (log in again), CredentialRefused (definite), TransientError.
        """
        raise RenewalRefused("this platform has no refresh tokens")

    @property
    def own_client(self) -> bool:
        """Whether the tenant has a client of its own that finds users and devices."""
        return False

    @abstractmethod
    def discover(self, api: Api, credentials: Credentials) -> AsyncIterator[Discovered]:
        """All devices and feeds that the account sees.

        Raises PlatformError; then nothing of it counts.
        """

    @abstractmethod
    def readings(self, api: Api, feed: Feed, window: Window) -> AsyncIterator[Sequence[Sample]]:
        """All samples of the window, an answer at a time, proven complete, in any order.

        Raises PlatformError; then the window is not covered, whatever was yielded before.
        """
