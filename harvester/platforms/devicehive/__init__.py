"""DeviceHive: users with a password, or a token in its place. It keeps tokens, and reads nothing.

What is relied on here, and how firmly it is known, stands in docs/platforms/devicehive.md.
"""

from datetime import datetime, timedelta
from typing import ClassVar

import structlog

from harvester.logs import Failures
from harvester.model import Credentials, Token
from harvester.platforms import base
from harvester.platforms.devicehive import tokens
from harvester.platforms.devicehive.narrowing import Narrowing
from harvester.platforms.devicehive.options import DeviceHiveOptions


class Adapter(base.Access):
    """DeviceHive as seen by one tenant. No token can be ended before its time."""

    Options: ClassVar[type[base.Options]] = DeviceHiveOptions
    token_reasons: ClassVar[tuple[str, ...]] = tokens.REASONS
    takes: ClassVar[frozenset[str]] = frozenset({"password", "refresh_token", "access_token"})
    reuses_refresh_tokens: ClassVar[bool] = True
    # Networks granted since a login are in none of its tokens.
    login_lasts: ClassVar[timedelta | None] = timedelta(days=1)

    def __init__(self, options: DeviceHiveOptions) -> None:
        self._options = options
        log = structlog.stdlib.get_logger(__name__)
        self._narrowing = Narrowing(options, Failures(log))

    def token_url(self, credentials: Credentials) -> str:
        if credentials.password is None and credentials.refresh_token is not None:
            return self._options.refresh_url
        return self._options.login_url

    def grant(self, credentials: Credentials) -> str:
        """The password goes before the tokens. A given refresh token is a login's, no renewal's."""
        if credentials.password is None and (credentials.refresh_token or credentials.access_token):
            return "configured"
        return "password"

    async def login(
        self, exchange: base.Exchange, credentials: Credentials, now: datetime
    ) -> Token:
        """The user's login or a configured refresh token, narrowed; or the access token as given.

        Raises CredentialRefused, TransientError, Malformed.
        """
        if credentials.password is not None:
            token = await tokens.of_password(exchange, self._options, credentials, now)
        elif credentials.refresh_token is not None:
            refresh = credentials.refresh_token
            token = await tokens.of_refresh_token(exchange, self._options, refresh, now)
        else:
            return tokens.as_given(credentials.access_token or "")
        return await self._narrowing.narrowed(exchange, token, credentials.user, now)

    async def renew(self, exchange: base.Exchange, token: Token, now: datetime) -> Token:
        """Another access token with the same refresh token, which is never spent by it.

        Raises RenewalRefused, TransientError, Malformed.
        """
        return await tokens.renewed(exchange, self._options, token, now)
