"""Coiote IoT DM: users with a password or a token, and maybe a service account or an exchange.

What is relied on here, and how firmly it is known, stands in docs/platforms/coiote.md.
"""

from datetime import datetime
from typing import ClassVar

from harvester.model import Credentials, Token
from harvester.platforms import base
from harvester.platforms.coiote import tokens
from harvester.platforms.coiote.options import CoioteOptions


class Adapter(base.Access):
    """How one tenant's accounts get into Coiote. No login comes with a refresh token."""

    Options: ClassVar[type[base.Options]] = CoioteOptions
    token_reasons: ClassVar[tuple[str, ...]] = tokens.REASONS
    takes: ClassVar[frozenset[str]] = frozenset({"password", "access_token"})

    def __init__(self, options: CoioteOptions) -> None:
        self._options = options

    @property
    def own_client(self) -> bool:
        return bool(self._options.client_id or self._options.token_exchange_url)

    def token_url(self, credentials: Credentials) -> str:
        """The user's at the API's host, the tenant's own where its service account is."""
        if credentials.user is None:
            return self._options.own_token_url
        return self._options.user_token_url

    def grant(self, credentials: Credentials) -> str:
        """A configured access token is only taken as it is, without a call."""
        if credentials.access_token is not None:
            return "configured"
        if credentials.user is None and self._options.token_exchange_url:
            return "token_exchange"
        return super().grant(credentials)

    async def login(
        self, exchange: base.Exchange, credentials: Credentials, now: datetime
    ) -> Token:
        """A new token, which always has an end; a configured one has it where it tells.

        Raises CredentialRefused, ClientRefused, TransientError, Malformed.
        """
        if credentials.access_token is not None:
            return tokens.by_hand(credentials.access_token, now)
        if credentials.user is None:
            return await tokens.of_client(exchange, self._options, now)
        return await tokens.of_user(exchange, self._options, credentials, now)

    async def revoke(self, exchange: base.Exchange, credentials: Credentials, token: Token) -> bool:
        """Only what users log in with is known to have an end before its time.

        Raises TransientError.
        """
        if credentials.user is None:
            return False
        return await tokens.invalidated(exchange, self._options, token)
