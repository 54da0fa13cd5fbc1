"""Tokens of myDevices: three grants (RFC 6749), one shape of answer, and what a refusal means.

Statuses moved between versions of the identity server behind it, so a refusal is read by its words:
docs/platforms/mydevices.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import SecretStr

from harvester.errors import (
    CredentialRefused,
    Malformed,
    PlatformError,
    RenewalRefused,
    RequestRefused,
)
from harvester.model import Credentials, Token
from harvester.platforms.base import Exchange
from harvester.platforms.mydevices.options import MyDevicesOptions

LONGEST_LIFE = timedelta(days=3650)
"""A longer life of a token is no information."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a refusal with these words means; `error` is the OAuth code, any where it is empty."""

    reason: str
    error: str = ""
    says: str = ""

    def fits(self, error: str, words: str) -> bool:
        return self.error in ("", error) and self.says in words


SPENT = (
    Verdict(reason="refresh_expired", says="token is not active"),
    Verdict(reason="refresh_expired", says="refresh token expired"),
    Verdict(reason="refresh_expired", says="no refresh token"),
    Verdict(reason="session_gone", says="session not active"),
    Verdict(reason="session_gone", says="session not found"),
    Verdict(reason="reuse_detected", says="maximum allowed refresh token reuse"),
    Verdict(reason="reuse_detected", says="doesn't have required client"),
    # Either an administrator revoked all tokens, or a used token was used again.
    Verdict(reason="revoked", says="stale token"),
    Verdict(reason="revoked", says="stale refresh token"),
    Verdict(reason="token_mismatch", says="unmatching clients"),
    Verdict(reason="token_mismatch", says="invalid refresh token"),
    Verdict(reason="token_mismatch", says="issuer"),
)
"""The refresh token is of no more use; the password may be."""

REFUSED = (
    # Each further try would make a lock last longer.
    Verdict(reason="account_locked", says="temporarily disabled"),
    Verdict(reason="account_disabled", says="account disabled"),
    Verdict(reason="account_disabled", says="user disabled"),
    Verdict(reason="account_not_set_up", says="not fully set up"),
    Verdict(reason="bad_credentials", says="invalid user credentials"),
    Verdict(reason="client_rejected", error="invalid_client"),
    Verdict(reason="client_rejected", error="unauthorized_client"),
    Verdict(reason="client_rejected", error="invalid_request"),
    Verdict(reason="client_rejected", error="unsupported_grant_type"),
    Verdict(reason="client_rejected", error="not_allowed"),
    Verdict(reason="client_rejected", error="access_denied"),
    # Wrapped by the gateway, the OAuth code is gone and only the words are left.
    Verdict(reason="client_rejected", says="invalid client"),
    Verdict(reason="client_rejected", says="client secret"),
    Verdict(reason="client_rejected", says="client_id"),
    Verdict(reason="client_rejected", says="not allowed for direct access grants"),
    Verdict(reason="client_rejected", says="requires user consent"),
    Verdict(reason="client_rejected", says="https required"),
    Verdict(reason="client_rejected", says="realm not enabled"),
    Verdict(reason="client_rejected", says="realm does not exist"),
)
"""The user or the client is refused, and will be until something changes."""

REASONS = tuple(sorted({verdict.reason for verdict in (*SPENT, *REFUSED)}))


async def of_user(
    exchange: Exchange, options: MyDevicesOptions, credentials: Credentials, now: datetime
) -> Token:
    """The password grant. Raises CredentialRefused, TransientError, Malformed."""
    form = {
        "grant_type": "password",
        "username": credentials.user or "",
        "password": credentials.password or "",
        **_client(options.client_id, options.client_secret),
    }
    try:
        answer = await exchange.post_once(options.user_token_url, form=form)
    except RequestRefused as refusal:
        raise _login_refused(refusal) from refusal
    return read(answer, now)


async def of_client(exchange: Exchange, options: MyDevicesOptions, now: datetime) -> Token:
    """The client credentials grant. Raises CredentialRefused, TransientError, Malformed.

    The answer's refresh token is dropped: the secret does the same, and always.
    """
    form = {
        "grant_type": "client_credentials",
        **_client(options.admin_client_id or "", options.admin_client_secret),
    }
    try:
        answer = await exchange.post_once(options.admin_token_url, form=form)
    except RequestRefused as refusal:
        raise _login_refused(refusal, otherwise="client_rejected") from refusal
    return replace(read(answer, now), refresh_token=None, refresh_expires_at=None)


async def renewed(
    exchange: Exchange, options: MyDevicesOptions, token: Token, now: datetime
) -> Token:
    """The refresh grant. Raises RenewalRefused, CredentialRefused, TransientError, Malformed."""
    if token.refresh_token is None:
        raise RenewalRefused("this login came without a refresh token")
    form = {
        "grant_type": "refresh_token",
        "refresh_token": token.refresh_token,
        **_client(options.client_id, options.client_secret),
    }
    try:
        answer = await exchange.post_once(options.user_token_url, form=form)
    except RequestRefused as refusal:
        raise _renewal_refused(refusal) from refusal
    return read(answer, now, before=token)


def _client(client_id: str, secret: SecretStr | None) -> dict[str, str]:
    if secret is None:
        return {"client_id": client_id}
    return {"client_id": client_id, "client_secret": secret.get_secret_value()}


def read(answer: object, now: datetime, before: Token | None = None) -> Token:
    """A token answer; what it leaves out of a refresh token is as it was `before`.

    Raises Malformed where it holds no access token.
    """
    said = answer if isinstance(answer, dict) else {}
    access = said.get("access_token")
    if not (isinstance(access, str) and access):
        raise Malformed("the answer to a token request holds no access token")
    ends = _end(said.get("expires_in"), now)
    refresh = said.get("refresh_token")
    if isinstance(refresh, str) and refresh:
        return Token(access, ends, refresh, _end(said.get("refresh_expires_in"), now))
    return replace(before or Token(access), access_token=access, expires_at=ends)


def _end(lifetime: object, now: datetime) -> datetime | None:
    """The end of a life of so many seconds; None, unknown, for 0 (offline tokens) and nonsense."""
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float | str):
        return None
    try:
        seconds = float(lifetime)
    except (ValueError, OverflowError):
        return None
    known = 0 < seconds <= LONGEST_LIFE.total_seconds()
    return now + timedelta(seconds=seconds) if known else None


def _login_refused(refusal: RequestRefused, otherwise: str = "bad_credentials") -> PlatformError:
    error, words = _said(refusal)
    reason = _reason(REFUSED, error, words)
    if reason is None and _is_of_the_credential(refusal, error):
        reason = otherwise
    if reason is None:
        return _not_its_words(refusal)
    return CredentialRefused(f"login refused with {refusal.status}: {reason}", reason)


def _renewal_refused(refusal: RequestRefused) -> PlatformError:
    error, words = _said(refusal)
    spent = _reason(SPENT, error, words)
    definite = _reason(REFUSED, error, words)
    if definite and not spent:
        message = f"renewal refused with {refusal.status}: {definite}"
        return CredentialRefused(message, definite)
    if not spent and not _is_of_the_credential(refusal, error):
        return _not_its_words(refusal)
    reason = spent or RenewalRefused.reason
    return RenewalRefused(f"renewal refused with {refusal.status}: {reason}", reason)


def _is_of_the_credential(refusal: RequestRefused, error: str) -> bool:
    """Whether new words are about it. Of a throttle's or a firewall's 4xx that would be wrong: a
    good account would be tried no more."""
    return error == "invalid_grant" or refusal.status == 401


def _not_its_words(refusal: RequestRefused) -> Malformed:
    """A proxy or a firewall spoke: that says nothing of the credential."""
    return Malformed(f"{refusal}, and not in the words of a token endpoint")


def _said(refusal: RequestRefused) -> tuple[str, str]:
    """The OAuth code and all words, small: of the identity server's body or the gateway's own.

    They are compared and never shown: a gateway may quote what was sent to it.
    """
    body = refusal.body if isinstance(refusal.body, dict) else {}
    parts = [body.get(key) for key in ("error", "error_description", "message")]
    words = [part.casefold() if isinstance(part, str) else "" for part in parts]
    return words[0], " ".join(words).strip()


def _reason(verdicts: Iterable[Verdict], error: str, words: str) -> str | None:
    return next((verdict.reason for verdict in verdicts if verdict.fits(error, words)), None)
