"""Every error of harvester, named for what the one who catches it must do.

HarvesterError
├── UserError                     tell the operator in one sentence and exit with `exit_code`
│   ├── ConfigError               78  the configuration is wrong
│   ├── DatabaseError             69  the database cannot be used
│   ├── EmbeddedPostgresError     69  the embedded Postgres cannot be used
│   ├── AddressError              69  the address to answer at cannot be had
│   └── AlreadyRunning            75  another harvester uses the state directory
├── PlatformError                 a window, a discovery or a login could not be had
│   ├── TransientError            try again later
│   │   ├── Unreachable               no answer at all
│   │   │   └── AnswerLost                it was sent: whether it took effect is unknown
│   │   ├── Throttled                 asked to wait (`retry_after`)
│   │   └── ServerFailed              5xx
│   ├── Malformed                 the answer is not what the platform promises
│   │   └── NoToken                   a token call was granted, and no token is in its answer
│   ├── TooLarge                  ask for less at once
│   ├── Truncated                 the answer cannot be proven complete
│   ├── Forbidden                 this account may not see this; another may
│   │   └── NotPermitted              nor anything of its kind
│   ├── Unauthorized              the access token was refused: renew it
│   ├── TokenError                this account has no usable token now
│   │   ├── CredentialRefused         definite: try it no more until something changes
│   │   │   └── ClientRefused             nor any other account of the tenant
│   │   └── RenewalRefused            the refresh token is spent: log in with the password
│   └── RequestRefused            any other 4xx, or a 5xx that lasts: not worth a retry
├── SealBroken                    what was sealed cannot be opened: have it anew
│   └── KeyMissing                    its key is not here, and may come back: leave it as it is
└── StoreError                    the database said no
    ├── Fenced                    another instance works this tenant now: stop
    └── StoreUnavailable          the database is away: stop pulling until it is back
"""

import os
from datetime import timedelta


class HarvesterError(Exception):
    """The root; never raised itself."""


class UserError(HarvesterError):
    """Something the operator must mend. The message says what, where and what to do."""

    exit_code = 1

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        if exit_code is not None:
            self.exit_code = exit_code


class ConfigError(UserError):
    """The configuration is wrong."""

    exit_code = os.EX_CONFIG


class DatabaseError(UserError):
    """The database cannot be used: away, refused, or of another version."""

    exit_code = os.EX_UNAVAILABLE


class EmbeddedPostgresError(UserError):
    """The embedded Postgres cannot be used."""

    exit_code = os.EX_UNAVAILABLE


class AddressError(UserError):
    """The address to answer at cannot be had."""

    exit_code = os.EX_UNAVAILABLE


class AlreadyRunning(UserError):
    """Another harvester uses the state directory; it may be about to end."""

    exit_code = os.EX_TEMPFAIL


class PlatformError(HarvesterError):
    """A platform did not give what was asked. `reason` is a short, stable word for metrics."""

    reason = "platform"


class TransientError(PlatformError):
    """Worth asking again later."""

    reason = "transient"


class Unreachable(TransientError):
    """No answer came: refused, cut, or timed out."""

    reason = "unreachable"


class AnswerLost(Unreachable):
    """It was sent and no answer came: whether it took effect at the platform is unknown."""

    reason = "answer_lost"


class Throttled(TransientError):
    """The platform asks for patience; `retry_after` is how long, where it said so."""

    reason = "throttled"

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServerFailed(TransientError):
    """The platform, or a proxy before it, answered 5xx."""

    reason = "server_failed"


class Malformed(PlatformError):
    """The answer is not what the platform promises; `excerpt` is its beginning."""

    reason = "malformed"

    def __init__(self, message: str, excerpt: str = "") -> None:
        super().__init__(message)
        self.excerpt = excerpt


class NoToken(Malformed):
    """A token call was granted and its answer holds no token: the old one may be spent."""


class TooLarge(PlatformError):
    """The answer has more bytes than we take at once."""

    reason = "too_large"


class Truncated(PlatformError):
    """The platform cut the answer and gives no way to reach the rest."""

    reason = "truncated"


class Forbidden(PlatformError):
    """This account may not see this, or there is no such thing for it (404).

    `status` is 403 or 404, or 401 where the platform says so of what is not permitted; `body` is
    the decoded answer, None where it is no JSON.
    """

    reason = "forbidden"

    def __init__(self, message: str, status: int = 403, body: object = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class NotPermitted(Forbidden):
    """This account may see nothing of what was asked for: all its feeds share the reason."""

    reason = "not_permitted"


class Unauthorized(PlatformError):
    """The access token was refused (401). `body` is the decoded answer, if it is JSON."""

    reason = "unauthorized"

    def __init__(self, message: str, body: object = None) -> None:
        super().__init__(message)
        self.body = body


class RequestRefused(PlatformError):
    """Any other 4xx, or a 5xx of which the adapter knows that it lasts.

    `status` and the decoded `body` let an adapter tell what it means.
    """

    reason = "request_refused"

    def __init__(self, message: str, status: int, body: object = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class TokenError(PlatformError):
    """This account has no usable token now. `status` and `code` are as the platform said them."""

    reason = "token"

    def __init__(
        self, message: str, reason: str | None = None, *, status: int | None = None, code: str = ""
    ) -> None:
        super().__init__(message)
        self.reason = reason or type(self).reason
        self.status = status
        self.code = code


class CredentialRefused(TokenError):
    """Definite: the same credential must not be tried again until something changes."""

    reason = "bad_credentials"


class ClientRefused(CredentialRefused):
    """The tenant's client is refused: a fault of the tenant's, whichever account met it."""

    reason = "client_rejected"


class RenewalRefused(TokenError):
    """The refresh token is spent, expired or revoked; the password may still do.

    `is_sure` is False where a proxy may have said it: then the token may serve all the same.
    """

    reason = "refresh_expired"
    is_sure = True


class SealBroken(HarvesterError):
    """A sealed value cannot be opened: altered, or moved from its owner."""


class KeyMissing(SealBroken):
    """A sealed value cannot be opened as long as its key is not in the key ring."""


class StoreError(HarvesterError):
    """The database said no."""


class Fenced(StoreError):
    """Another instance holds this tenant now; nothing of ours was written."""


class StoreUnavailable(StoreError):
    """The database is away; nothing is known of the last commit, and asking again is safe."""
