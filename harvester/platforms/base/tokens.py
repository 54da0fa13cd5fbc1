"""What token endpoints have in common (RFC 6749, section 5): lives, refusals and their words.

What is peculiar to a platform, such as which words mean what, stands in its adapter.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec

from harvester.errors import (
    ClientRefused,
    CredentialRefused,
    Malformed,
    NoToken,
    PlatformError,
    RenewalRefused,
    RequestRefused,
)
from harvester.model import Token

LONGEST_LIFE = timedelta(days=3650)
"""A longer life of a token is no information."""
_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a refusal means: the platform's error code and part of its words, any where empty.

    `says` is in small letters. `status` is 0 where it makes no difference.
    """

    reason: str
    error: str = ""
    says: str = ""
    status: int = 0

    def fits(self, refusal: RequestRefused) -> bool:
        error, words = code_of(refusal), words_of(refusal)
        fits = self.error.casefold() in ("", error.casefold()) and self.says in words
        return fits and self.status in (0, refusal.status)


def reason_of(verdicts: Iterable[Verdict], refusal: RequestRefused) -> str | None:
    """The reason of the first verdict that fits."""
    return next((verdict.reason for verdict in verdicts if verdict.fits(refusal)), None)


def refused(refusal: RequestRefused, reason: str, what: str = "login") -> CredentialRefused:
    """A definite refusal of the credential: it is tried no more until something changes."""
    told = f"{what} refused with {refusal.status}: {reason}"
    return CredentialRefused(told, reason, status=refusal.status, code=code_of(refusal))


def client_refused(refusal: RequestRefused, reason: str) -> ClientRefused:
    """The tenant's own client is refused, and so all of its accounts are."""
    told = f"the tenant's client is refused with {refusal.status}: {reason}"
    return ClientRefused(told, reason, status=refusal.status, code=code_of(refusal))


def spent(refusal: RequestRefused, reason: str) -> RenewalRefused:
    """The refresh token is of no more use; the password may be. A page is no platform's word."""
    told = f"renewal refused with {refusal.status}: {reason}"
    error = RenewalRefused(told, reason, status=refusal.status, code=code_of(refusal))
    error.is_sure = isinstance(refusal.body, dict)
    return error


def not_its_words(refusal: RequestRefused) -> PlatformError:
    """A proxy or a firewall spoke: that says nothing of the credential."""
    return Malformed(f"{refusal}, and not in the words of a token endpoint")


def code_of(refusal: RequestRefused) -> str:
    """The platform's error code, "" where there is none; a status or a sentence is none."""
    body = refusal.body if isinstance(refusal.body, dict) else {}
    number = body.get("code")
    for said in (body.get("error"), str(number) if isinstance(number, int) else number):
        if isinstance(said, str) and _CODE.fullmatch(said):
            return said
    return ""


def words_of(refusal: RequestRefused) -> str:
    """All words of the body, in small letters.

    They are compared and never shown: a gateway may quote what was sent to it.
    """
    body = refusal.body if isinstance(refusal.body, dict) else {}
    parts = (body.get(key) for key in ("error", "error_description", "message"))
    return " ".join(part.casefold() for part in parts if isinstance(part, str))


def read(answer: object, now: datetime, before: Token | None = None) -> Token:
    """A token answer in the members of RFC 6749; what it leaves out is as it was `before`.

    Any new refresh token takes the place of the old one; none keeps the old one. Raises NoToken
    where it holds no access token.
    """
    said = answer if isinstance(answer, dict) else {}
    access = said.get("access_token")
    if not (isinstance(access, str) and access):
        raise NoToken("the answer to a token request holds no access token")
    ends = end_of(access, said.get("expires_in"), now)
    refresh = said.get("refresh_token")
    if isinstance(refresh, str) and refresh:
        return Token(access, ends, refresh, end_of(refresh, said.get("refresh_expires_in"), now))
    return replace(before or Token(access), access_token=access, expires_at=ends)


def end_of(token: str, lifetime: object, now: datetime) -> datetime | None:
    """When a token ends: `lifetime` in seconds after `now`, else as a JWT says; None is unknown.

    Zero is no lifetime (an offline token's), and nor is nonsense.
    """
    life = _seconds(lifetime)
    if life is None:
        life = _life_of(token, now)
    return now + life if life is not None else None


def claims(token: str) -> dict[str, object]:
    """What a JWT says of itself, unproven; nothing where it is none (RFC 7519)."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        said = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _life_of(token: str, now: datetime) -> timedelta | None:
    said = claims(token)
    ends, issued = said.get("exp"), said.get("iat")
    if not isinstance(ends, int | float):
        return None
    # By the platform's clock, which may be far from ours: the difference of two of its own is not.
    since = issued if isinstance(issued, int | float) else now.timestamp()
    return _seconds(ends - since)


def from_millis(said: object) -> datetime | None:
    """An instant in milliseconds since 1970; None where it is none, or beyond all lives."""
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    try:
        return datetime.fromtimestamp(said / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _seconds(lifetime: object) -> timedelta | None:
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float | str):
        return None
    try:
        seconds = float(lifetime)
    except (ValueError, OverflowError):
        return None
    known = 0 < seconds <= LONGEST_LIFE.total_seconds()
    return timedelta(seconds=seconds) if known else None
