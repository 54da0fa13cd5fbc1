"""Apache Usergrid: users of an application, its admin users, and clients of either.

What is relied on here, and how firmly it is known, stands in docs/platforms/usergrid.md.
"""

from datetime import datetime
from typing import ClassVar

from harvester.model import Credentials, Token
from harvester.platforms import base
from harvester.platforms.usergrid import tokens
from harvester.platforms.usergrid.options import UsergridOptions


class Adapter(base.Access):
    """Usergrid as seen by one tenant: an application, at one of its levels of authentication.

    There are no refresh tokens: whoever needs a new token logs in again.
    """

    Options: ClassVar[type[base.Options]] = UsergridOptions
    token_reasons: ClassVar[tuple[str, ...]] = tokens.REASONS

    def __init__(self, options: UsergridOptions) -> None:
        self._options = options

    @property
    def own_client(self) -> bool:
        return self._options.client_id is not None

    def token_url(self, _credentials: Credentials) -> str:
        """Of the application, or of the management: users and clients of a level share it."""
        return f"{self._options.level_url}/token"

    async def login(
        self, exchange: base.Exchange, credentials: Credentials, now: datetime
    ) -> Token:
        """The user's password grant, or the client's credentials grant.

        Raises CredentialRefused, ClientRefused (also where the tenant's options are wrong),
        TransientError, Malformed.
        """
        return await tokens.granted(exchange, self._options, credentials, now)

    async def revoke(self, exchange: base.Exchange, credentials: Credentials, token: Token) -> bool:
        """End a user's token, and none of the user's others. A client's cannot be ended.

        Raises RequestRefused where the user may not, TransientError, Malformed.
        """
        if credentials.user is None:
            return False
        await tokens.revoked(exchange, self._options, token)
        return True
