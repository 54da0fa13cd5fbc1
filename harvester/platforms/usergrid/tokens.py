"""Tokens of Usergrid: two grants at two places, one way to end a token, what a refusal means.

A refusal is read by its code, and by its words where one code has several meanings:
docs/platforms/usergrid.md.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

from harvester.errors import ClientRefused, CredentialRefused, PlatformError, RequestRefused
from harvester.model import Credentials, Token
from harvester.platforms.base import Exchange
from harvester.platforms.base.tokens import (
    Verdict,
    code_of,
    not_its_words,
    read,
    reason_of,
    refused,
)
from harvester.platforms.usergrid.options import UsergridOptions

REFUSED = (
    Verdict(reason="account_disabled", error="invalid_grant", says="user not activated"),
    Verdict(reason="account_disabled", error="invalid_grant", says="user disabled"),
    Verdict(reason="account_not_confirmed", error="invalid_grant", says="must be confirmed"),
)
"""The user is refused although the password is right."""

MISTAKEN = (
    Verdict(reason="application_not_found", error="organization_application_not_found"),
    Verdict(reason="ttl_rejected", error="illegal_argument", says="token age cannot be more"),
    Verdict(reason="ttl_rejected", error="illegal_argument", says="ttl must be a number"),
    Verdict(reason="external_login_only", says="external sso integration is enabled"),
    Verdict(reason="client_rejected", error="invalid_client"),
    Verdict(reason="client_rejected", error="auth_invalid_credentials"),
)
"""Something is wrong with the tenant, whoever logs in."""

REMEDIES: Mapping[str, str] = {
    "application_not_found": "check organization and application",
    "ttl_rejected": "ttl_seconds is more than this installation allows",
    "external_login_only": "admin users log in elsewhere; use a client of the organization",
    # The client's grant swallows the sentence on the ttl.
    "client_rejected": "check client_id and client_secret; a ttl_seconds too large reads the same",
}

REASONS = tuple(sorted({verdict.reason for verdict in (*REFUSED, *MISTAKEN)}))

DEAD = frozenset(
    {
        "expired_token",
        "auth_invalid",
        "auth_bad_access_token",
        "auth_unverified_oath",
        "auth_expired_session_token",
        "auth_missing_credentials",
    }
)
"""A 401 with one of these is about the token."""

NO_PERMISSION = "unauthorized"
"""The token was taken, and a permission is missing; or the check of permissions failed."""


async def granted(
    exchange: Exchange, options: UsergridOptions, credentials: Credentials, now: datetime
) -> Token:
    """A new token. Raises CredentialRefused, ClientRefused, TransientError, Malformed.

    Nothing else is sent along: a bearer that has ended would make the login itself fail.
    """
    asked = _grant(options, credentials)
    if options.ttl_seconds is not None:
        asked |= {"ttl": options.ttl_seconds * 1000}
    try:
        # As JSON, which is UTF-8 everywhere; how a form's passwords are read is the container's.
        answer = await exchange.post_once(f"{options.level_url}/token", json=asked)
    except RequestRefused as refusal:
        raise _refused(refusal, credentials) from refusal
    return replace(read(answer, now), refresh_token=None, refresh_expires_at=None)


def is_dead(body: object) -> bool | None:
    """Whether a 401 with this body is about the token. None: it is not in words that we know."""
    code = body.get("error") if isinstance(body, dict) else None
    if code == NO_PERMISSION:
        return False
    return True if isinstance(code, str) and code in DEAD else None


async def revoked(exchange: Exchange, options: UsergridOptions, token: Token) -> None:
    """End a user's token. Raises RequestRefused, TransientError, Malformed."""
    access = token.access_token
    url = f"{options.level_url}/users/me/revoketoken?token={quote(access, safe='')}"
    try:
        await exchange.post_once(url, bearer=access)
    except RequestRefused as refusal:
        if code_of(refusal) not in DEAD:
            raise


def _grant(options: UsergridOptions, credentials: Credentials) -> dict[str, str | int]:
    if credentials.user is not None:
        password = credentials.password or ""
        return {"grant_type": "password", "username": credentials.user, "password": password}
    secret = options.client_secret.get_secret_value() if options.client_secret else ""
    return {
        "grant_type": "client_credentials",
        "client_id": options.client_id or "",
        "client_secret": secret,
    }


def _refused(refusal: RequestRefused, credentials: Credentials) -> PlatformError:
    if reason := reason_of(MISTAKEN, refusal):
        return _mistaken(refusal, reason)
    if code_of(refusal) != "invalid_grant":
        return not_its_words(refusal)
    if credentials.user is None:
        return _mistaken(refusal, ClientRefused.reason)
    return refused(refusal, reason_of(REFUSED, refusal) or CredentialRefused.reason)


def _mistaken(refusal: RequestRefused, reason: str) -> ClientRefused:
    told = f"login refused with {refusal.status}: {reason}: {REMEDIES[reason]}"
    return ClientRefused(told, reason, status=refusal.status, code=code_of(refusal))
