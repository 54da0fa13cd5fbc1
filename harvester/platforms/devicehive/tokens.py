"""Tokens of DeviceHive: its calls in JSON, one shape of answer, and what a refusal means.

Words and bodies differ between versions, so the status decides: docs/platforms/devicehive.md.
"""

from dataclasses import replace
from datetime import datetime

from harvester.errors import NoToken, PlatformError, RenewalRefused, RequestRefused
from harvester.model import Credentials, Token
from harvester.platforms.base import Exchange, tokens as base
from harvester.platforms.base.tokens import Verdict, not_its_words, reason_of, refused, spent
from harvester.platforms.devicehive import claims
from harvester.platforms.devicehive.options import DeviceHiveOptions

REFUSED = (
    # A wrong password and a lock have one status, and each wrong one counts towards the lock.
    Verdict(reason="account_locked", says="locked or disabled"),
    Verdict(reason="bad_credentials", says="empty authorization request parameters"),
    Verdict(reason="bad_credentials", status=401),
)
"""The user is refused, and will be until something changes."""

SPENT = (
    Verdict(reason="refresh_expired", says="token has expired"),
    Verdict(reason="wrong_token_type", says="invalid token type"),
    Verdict(reason="wrong_token_type", says="token is not valid"),
    # A changed signing key, or a user who is gone, locked or disabled: a login tells which.
    Verdict(reason="token_invalid", status=401),
)
"""The refresh token is of no more use; the password may be."""

REASONS = tuple(sorted({verdict.reason for verdict in (*REFUSED, *SPENT)}))


async def of_password(
    exchange: Exchange, options: DeviceHiveOptions, credentials: Credentials, now: datetime
) -> Token:
    """The login. Raises CredentialRefused, TransientError, Malformed."""
    asked = {"login": credentials.user or "", "password": credentials.password or ""}
    try:
        answer = await exchange.post_once(options.login_url, json=asked)
    except RequestRefused as refusal:
        raise _login_refused(refusal) from refusal
    return read(answer, now)


async def of_refresh_token(
    exchange: Exchange, options: DeviceHiveOptions, refresh_token: str, now: datetime
) -> Token:
    """A login without a password. Raises CredentialRefused, TransientError, Malformed."""
    token = Token("", refresh_token=refresh_token)
    try:
        return await _refreshed(exchange, options, token, now)
    except RequestRefused as refusal:
        reason = _spent_by(refusal, claims.end(refresh_token), now)
        raise (refused(refusal, reason) if reason else not_its_words(refusal)) from refusal


async def renewed(
    exchange: Exchange, options: DeviceHiveOptions, token: Token, now: datetime
) -> Token:
    """Another access token. Raises RenewalRefused, TransientError, Malformed."""
    if token.refresh_token is None:
        raise RenewalRefused("this login came without a refresh token")
    try:
        return await _refreshed(exchange, options, token, now)
    except RequestRefused as refusal:
        reason = _spent_by(refusal, token.refresh_expires_at, now)
        raise (spent(refusal, reason) if reason else not_its_words(refusal)) from refusal


def as_given(access_token: str) -> Token:
    """An access token that somebody got at the platform by hand."""
    return Token(access_token, claims.end(access_token))


def read(answer: object, now: datetime, before: Token | None = None) -> Token:
    """Raises NoToken. An answer without a refresh token keeps the one from `before`."""
    said = answer if isinstance(answer, dict) else {}
    named = {"access_token": said.get("accessToken"), "refresh_token": said.get("refreshToken")}
    token = base.read(named, now, before)
    if not (token.access_token.isascii() and token.access_token.isprintable()):
        raise NoToken("the access token that was given cannot stand in a header")
    return replace(
        token,
        expires_at=claims.end_of_new(token.access_token, now),
        refresh_expires_at=claims.end_of_new(token.refresh_token, now),
    )


async def _refreshed(
    exchange: Exchange, options: DeviceHiveOptions, token: Token, now: datetime
) -> Token:
    # Without a bearer: with one that has expired, the platform would look at nothing else.
    asked = {"refreshToken": token.refresh_token}
    return read(await exchange.post_once(options.refresh_url, json=asked), now, before=token)


def _login_refused(refusal: RequestRefused) -> PlatformError:
    if reason := reason_of(REFUSED, refusal):
        return refused(refusal, reason)
    return not_its_words(refusal)


def _spent_by(refusal: RequestRefused, end: datetime | None, now: datetime) -> str | None:
    """Why the refresh token is of no more use; None where that was not said.

    Where the words are missing, its own end tells.
    """
    reason = reason_of(SPENT, refusal)
    if reason == "token_invalid" and end and end <= now:
        return RenewalRefused.reason
    return reason
