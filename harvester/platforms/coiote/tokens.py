"""Tokens of Coiote: a login, a service account, an exchange, or one that somebody got by hand.

Which words a refusal has is not published, so its status counts, and whether it is in the form of
the platform's errors at all: docs/platforms/coiote.md.
"""

from datetime import datetime, timedelta

from pydantic import SecretStr

from harvester.errors import CredentialRefused, Malformed, PlatformError, RequestRefused
from harvester.model import Credentials, Token
from harvester.platforms.base import Exchange
from harvester.platforms.base.tokens import (
    Verdict,
    claims,
    client_refused,
    from_millis,
    not_its_words,
    read,
    reason_of,
    refused,
)
from harvester.platforms.coiote.options import CoioteOptions

ASSUMED_LIFE = timedelta(seconds=240)
"""Of an access token of which nothing is told: a little less than the usual five minutes."""

EXPIRED = "access_expired"
FORBIDDEN = "forbidden"
EXCHANGE_REJECTED = "exchange_rejected"
NO_REALM = (Verdict(reason="client_rejected", says="realm does not exist", status=404),)
"""Keycloak's word for a wrong `realm`."""

REASONS = ("client_rejected", EXPIRED, EXCHANGE_REJECTED, FORBIDDEN)


async def of_user(
    exchange: Exchange, options: CoioteOptions, credentials: Credentials, now: datetime
) -> Token:
    """The password grant. Raises CredentialRefused, TransientError, Malformed."""
    form = {
        "grant_type": "password",
        "username": credentials.user or "",
        "password": credentials.password or "",
    }
    try:
        answer = await exchange.post_once(options.user_token_url, form=form)
    except RequestRefused as refusal:
        raise _user_refused(refusal) from refusal
    return _of(answer, now)


async def of_client(exchange: Exchange, options: CoioteOptions, now: datetime) -> Token:
    """The service account's client credentials grant, or the exchange as it is configured.

    Raises ClientRefused, TransientError, Malformed.
    """
    try:
        answer = await exchange.post_once(options.own_token_url, form=_own_form(options))
    except RequestRefused as refusal:
        rejected = EXCHANGE_REJECTED if options.token_exchange_url else "client_rejected"
        raise _client_refused(refusal, rejected) from refusal
    return _of(answer, now)


def by_hand(access_token: str, now: datetime) -> Token:
    """A token from the configuration. Raises CredentialRefused where it says that it has ended."""
    ends = _end_told_by(access_token)
    if ends is not None and ends <= now:
        told = f"the configured access token ended at {ends:%Y-%m-%d %H:%M} UTC; get a new one"
        raise CredentialRefused(told, EXPIRED)
    return Token(access_token, ends)


async def invalidated(exchange: Exchange, options: CoioteOptions, token: Token) -> bool:
    """Whether the platform says that the token is at its end; newer ones may know no such call.

    Raises TransientError.
    """
    try:
        await exchange.post_once(options.invalidation_url, json={"token": token.access_token})
    except (RequestRefused, Malformed):
        return False
    return True


def _end_told_by(access_token: str) -> datetime | None:
    ends = claims(access_token).get("exp")
    if isinstance(ends, bool) or not isinstance(ends, int | float):
        return None
    return from_millis(ends * 1000)


def _own_form(options: CoioteOptions) -> dict[str, str]:
    form: dict[str, str | SecretStr] = {
        "grant_type": "client_credentials",
        "client_id": options.client_id or "",
        "client_secret": options.client_secret or "",
    }
    fields = options.token_exchange_form or form
    return {
        key: value.get_secret_value() if isinstance(value, SecretStr) else value
        for key, value in fields.items()
    }


def _of(answer: object, now: datetime) -> Token:
    """A refresh token is dropped: no call that would take it is documented."""
    token = read(answer, now)
    return Token(token.access_token, token.expires_at or now + ASSUMED_LIFE)


def _user_refused(refusal: RequestRefused) -> PlatformError:
    reason = _reason(refusal, CredentialRefused.reason)
    return refused(refusal, reason) if reason else not_its_words(refusal)


def _client_refused(refusal: RequestRefused, rejected: str) -> PlatformError:
    reason = _reason(refusal, rejected) or reason_of(NO_REALM, refusal)
    return client_refused(refusal, reason) if reason else not_its_words(refusal)


def _reason(refusal: RequestRefused, rejected: str) -> str | None:
    """None where the refusal says nothing of who wants in."""
    # Whatever its body: each further try might count towards a lock.
    if refusal.status == 401:
        return rejected
    if not _is_in_its_form(refusal):
        return None
    return {400: rejected, 403: FORBIDDEN}.get(refusal.status)


def _is_in_its_form(refusal: RequestRefused) -> bool:
    """Whether it has a member of the platform's errors: a firewall's page has not."""
    return isinstance(refusal.body, dict) and bool({"error", "code"} & refusal.body.keys())
