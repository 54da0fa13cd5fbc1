"""Tokens of myDevices: three grants (RFC 6749), one shape of answer, and what a refusal means.

Statuses moved between versions of the identity server behind it, so a refusal is read by its words:
docs/platforms/mydevices.md.
"""

from dataclasses import replace
from datetime import datetime

from pydantic import SecretStr

from harvester.errors import PlatformError, RenewalRefused, RequestRefused
from harvester.model import Credentials, Token
from harvester.platforms.base import Exchange
from harvester.platforms.base.tokens import (
    Verdict,
    client_refused,
    code_of,
    not_its_words,
    read,
    reason_of,
    refused,
    spent,
)
from harvester.platforms.mydevices.options import MyDevicesOptions

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
)
"""The user is refused, and will be until something changes."""

CLIENT = (
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
"""The tenant's client is refused, whoever logs in through it."""

REASONS = tuple(sorted({verdict.reason for verdict in (*SPENT, *REFUSED, *CLIENT)}))


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


def _login_refused(refusal: RequestRefused, otherwise: str = "bad_credentials") -> PlatformError:
    if reason := reason_of(REFUSED, refusal):
        return refused(refusal, reason)
    if reason := reason_of(CLIENT, refusal):
        return client_refused(refusal, reason)
    if not _is_of_the_credential(refusal):
        return not_its_words(refusal)
    if otherwise == "client_rejected":
        return client_refused(refusal, otherwise)
    return refused(refusal, otherwise)


def _renewal_refused(refusal: RequestRefused) -> PlatformError:
    if reason := reason_of(SPENT, refusal):
        return spent(refusal, reason)
    if reason := reason_of(REFUSED, refusal):
        return refused(refusal, reason, "renewal")
    if reason := reason_of(CLIENT, refusal):
        return client_refused(refusal, reason)
    if not _is_of_the_credential(refusal):
        return not_its_words(refusal)
    return spent(refusal, RenewalRefused.reason)


def _is_of_the_credential(refusal: RequestRefused) -> bool:
    """Whether new words are about it. Of a throttle's or a firewall's 4xx that would be wrong: a
    good account would be tried no more."""
    return code_of(refusal) == "invalid_grant" or refusal.status == 401
