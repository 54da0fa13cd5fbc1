"""The fake's tokens: issued, looked up and revoked as a Usergrid does it.

All times are the platform's own. Nothing is renewed, for there are no refresh tokens. A token is
signed and holds its own end, and is good while the server remembers it; several of one user are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from harvester.simulator import usergrid_shapes as shapes, usergrid_tokens as texts
from harvester.simulator.tenants import Tenant, User
from harvester.simulator.usergrid_quirks import WEEK, Switches
from harvester.simulator.usergrid_shapes import ApiRefusal
from harvester.simulator.world import World, millis

EVER = 2**63 - 1

_SAID: Mapping[str, str] = {
    "expired_token": "Unable to authenticate due to expired access token",
    "auth_invalid": "Unable to authenticate",
    "auth_bad_access_token": "Unable to authenticate due to corrupt access token",
    "auth_unverified_oath": "Unable to authenticate OAuth credentials",
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a token stands for: a user of an application, an admin user, or a client of either."""

    level: Literal["user", "admin", "application", "organization"]
    tenant: Tenant
    user: User | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """What the fake knows of a token it gave out."""

    principal: Principal
    expires_ms: int


class Tokens:
    """All tokens of one fake that nobody revoked; `removed` are user names that are no more."""

    def __init__(self, world: World, switches: Switches) -> None:
        self._world = world
        self._switches = switches
        self._live: dict[str, Issued] = {}
        self._minted = 0
        self.removed: set[str] = set()

    def now(self) -> datetime:
        """The time as the platform has it."""
        return self._world.clock.now() + self._switches.clock_skew

    def now_ms(self) -> int:
        return millis(self.now())

    def issue(self, principal: Principal, ttl: int) -> dict[str, object]:
        """Answer a login; `ttl` is in ms, 0 for the longest. Raises ApiRefusal if it is longer."""
        longest = WEEK if principal.level != "user" else self._switches.accesstokenttl or EVER
        if ttl > longest:
            told = f"Your token age cannot be more than the maximum age of {longest} milliseconds"
            raise ApiRefusal(400, "illegal_argument", told)
        life = ttl if ttl > 0 else longest
        text = self._mint(principal, life)
        spelling, members = self._switches.expires_in_as, self._members(principal)
        return shapes.token_answer(text, life // 1000, spelling, members)

    def bearer(self, text: str) -> Principal:
        """Whose token it is. Raises ApiRefusal, a 401 of which the code says why."""
        issued = self._live.get(text)
        expires_ms = issued.expires_ms if issued else self._end_of(text)
        if texts.has_ended(expires_ms, self.now_ms()):
            raise _refused("expired_token")
        if issued is None:
            raise _refused("auth_invalid")
        if issued.principal.user and issued.principal.user.name in self.removed:
            raise _refused("auth_bad_access_token")
        return issued.principal

    def revoke(self, text: str) -> None:
        self._live.pop(text, None)

    def revoke_all(self, user: str, level: str | None = None) -> None:
        """End all tokens of the user of that name; of both levels unless one is given."""
        for text, issued in list(self._live.items()):
            principal = issued.principal
            owner = principal.user.name if principal.user else None
            if owner == user and level in (None, principal.level):
                del self._live[text]

    def _mint(self, principal: Principal, life: int) -> str:
        self._minted += 1
        uuid, expires = texts.time_uuid(self.now_ms(), self._minted), self.now_ms() + life
        text = self._text(uuid, expires)
        self._live[text] = Issued(principal, expires)
        return text

    def _text(self, uuid: UUID, expires: int) -> str:
        if self._switches.old_tokens:
            return texts.of_old(uuid)
        return texts.minted(uuid, expires)

    def _end_of(self, text: str) -> int:
        """In ms, of a token that is not remembered."""
        try:
            return texts.opened(text)[1]
        except texts.Forged:
            older = self._switches.server == "2.1.0"
            raise _refused("auth_bad_access_token" if older else "auth_unverified_oath") from None

    def _members(self, principal: Principal) -> dict[str, object]:
        tenant, user = principal.tenant, principal.user
        made = millis(self._world.since)
        more: dict[str, object] = {}
        if self._switches.talkative:
            more = {"token_type": "Bearer", "scope": None, "mood": ["new"]}
        if principal.level == "admin" and user:
            return more | {"user": shapes.admin(tenant, user), "passwordChanged": made}
        if user:
            return more | {"user": shapes.user_entity(user, made)}
        if principal.level == "organization":
            return more | {"organization": shapes.organization(tenant)}
        if self._switches.application_as == "object":
            return more | {"application": shapes.application(tenant, made)}
        return more | {"application": shapes.application_id(tenant)}


def _refused(code: str) -> ApiRefusal:
    return ApiRefusal(401, code, _SAID[code])
