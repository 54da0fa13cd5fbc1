"""The fake's tokens: logins of users, a service account for each tenant, and an exchange.

Users log in at the platform itself, whose refusals have the platform's form. A tenant's service
account does so at the identity server beside it, a Keycloak, whose realms bear the tenants' names
and whose refusals are `{"error", "error_description"}`. The exchange is that of RFC 8693 there;
what the vendor means by one is published nowhere. No token renews another.
"""

import base64
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from harvester.simulator.chance import identity
from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.faults import Refusal
from harvester.simulator.tenants import Tenant, User
from harvester.simulator.world import World

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  a type
BAD_CREDENTIALS = "Bad credentials"
BAD_CLIENT = "Invalid client or Invalid client credentials"
ABSURD = 10**15


class GrantRefusal(Exception):
    """A call at the identity server is refused, in Keycloak's words."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(status, error, description)
        self.status = status
        self.body = {"error": error, "error_description": description}


@dataclass(slots=True)
class Token:
    """What the fake knows of a token it gave out. `user` is None for a tenant's own."""

    tenant: Tenant
    user: User | None
    life: timedelta
    expires: datetime

    @property
    def account(self) -> str:
        return self.user.name if self.user else self.tenant.admin_client.id


class Tokens:
    """All tokens of one fake, and the violations seen in their use."""

    def __init__(self, world: World, switches: Switches) -> None:
        self._world = world
        self._switches = switches
        self._tokens: dict[str, Token] = {}
        self._minted = 0
        self._rejected: set[tuple[str, str]] = set()
        self._bad_tries: Counter[str] = Counter()
        self._locked_until: dict[str, datetime] = {}
        self._logging_in: Counter[str] = Counter()
        self.disabled: set[str] = set()
        self.violations: list[str] = []

    def now(self) -> datetime:
        """The time as the platform has it."""
        return self._world.clock.now() + self._switches.clock_skew

    def by_password(self, params: Mapping[str, str]) -> dict[str, object]:
        """Answer a login. The vendor's own client leaves `grant_type` out."""
        if params.get("grant_type", "password") != "password":
            raise Refusal(400, "Unsupported grant type")
        if not params.get("username") or not params.get("password"):
            raise Refusal(400, "Username and password are required")
        tenant, user = self._user(params["username"], params["password"])
        return self._answer(self._issue(tenant, user), self._switches.expires_in, "string")

    def at_realm(self, tenant: Tenant, params: Mapping[str, str]) -> dict[str, object]:
        """Answer a call at the realm of `tenant`: for its service account alone."""
        grant = params.get("grant_type")
        if grant not in ("client_credentials", EXCHANGE):
            raise GrantRefusal(400, "unsupported_grant_type", "Unsupported grant_type")
        self._check_client(tenant, params)
        if grant == EXCHANGE:
            self._check_subject(tenant, params)
        return self._answer(self._issue(tenant, None), self._switches.expires_in, "int")

    def by_hand(self, name: str, life: timedelta) -> str:
        """Give out a token as a user makes one in the profile, with an end of his choice."""
        for tenant in self._world.tenants.values():
            for user in tenant.users:
                if user.name == name:
                    return self._issue(tenant, user, life)
        raise KeyError(name)

    def bearer(self, header: str | None) -> Token:
        """Return the token of an `Authorization` header; raise Refusal 401."""
        scheme, _, text = (header or "").partition(" ")
        token = self._tokens.get(text)
        if scheme.lower() != "bearer" or token is None or token.expires <= self.now():
            raise Refusal(401, "Unauthorized")
        if self._switches.slides:
            token.expires = self.now() + token.life
        return token

    def invalidate(self, text: str) -> None:
        """End a token; one that is none is at its end already."""
        if not self._switches.invalidates:
            raise Refusal(404, "Not Found")
        self._tokens.pop(text, None)

    def revoke(self, account: str) -> None:
        """End all tokens of an account before their time."""
        self._tokens = {
            text: token for text, token in self._tokens.items() if token.account != account
        }

    @contextmanager
    def login(self, account: str) -> Iterator[None]:
        """Stand for the time a login is under way, and note if it meets another's."""
        if self._logging_in[account]:
            self.violations.append(f"overlapping logins of {account}")
        self._logging_in[account] += 1
        try:
            yield
        finally:
            self._logging_in[account] -= 1

    def _user(self, name: str, password: str) -> tuple[Tenant, User]:
        for tenant in self._world.tenants.values():
            for user in tenant.users:
                if user.name == name and user.password == password and self._may(name):
                    self._bad_tries[name] = 0
                    return tenant, user
        self._note_rejected(name, password)
        raise Refusal(self._switches.refused_login, BAD_CREDENTIALS)

    def _may(self, name: str) -> bool:
        until = self._locked_until.get(name)
        return name not in self.disabled and (until is None or until <= self.now())

    def _note_rejected(self, name: str, secret: str) -> None:
        if (name, secret) in self._rejected:
            self.violations.append(f"rejected password tried again for {name}")
        self._rejected.add((name, secret))
        self._bad_tries[name] += 1
        after = self._switches.lock_after
        if after is not None and self._bad_tries[name] >= after:
            self._locked_until[name] = self.now() + timedelta(seconds=self._switches.lock_lasts)

    def _check_client(self, tenant: Tenant, params: Mapping[str, str]) -> None:
        client, secret = tenant.admin_client, params.get("client_secret", "")
        if (params.get("client_id"), secret) != (client.id, client.secret):
            self._note_rejected(params.get("client_id", ""), secret)
            raise GrantRefusal(401, "unauthorized_client", BAD_CLIENT)
        if client.id in self.disabled:
            raise GrantRefusal(401, "invalid_client", BAD_CLIENT)

    def _check_subject(self, tenant: Tenant, params: Mapping[str, str]) -> None:
        if params.get("subject_token_type") != ACCESS_TOKEN:
            raise GrantRefusal(400, "invalid_request", "subject_token_type is wrong or missing")
        if params.get("subject_token") != subject_token(tenant):
            raise GrantRefusal(400, "invalid_token", "Invalid token")

    def _issue(self, tenant: Tenant, user: User | None, life: timedelta | None = None) -> str:
        life = life or timedelta(seconds=self._switches.lifetime)
        token = Token(tenant, user, life, self.now() + life)
        self._minted += 1
        text = self._text(token, identity(self._world.seed, "token", self._minted))
        self._tokens[text] = token
        return text

    def _text(self, token: Token, name: str) -> str:
        if not self._switches.jwt:
            return name.replace("-", "")
        issued = int(self.now().timestamp())
        ends = issued + int(token.life.total_seconds())
        said = {"jti": name, "iat": issued, "exp": ends, "sub": token.account}
        return f"{_base64({'alg': 'HS256', 'typ': 'JWT'})}.{_base64(said)}.{name}"

    def _answer(self, text: str, spelling: str, documented: str) -> dict[str, object]:
        life = self._switches.lifetime
        told: dict[str, object] = {
            "string": str(life),
            "int": life,
            "float": float(life),
            "zero": 0,
            "absurd": ABSURD,
            "word": "soon",
        }
        answer: dict[str, object] = {"access_token": text, "token_type": "Bearer"}
        if spelling != "absent":
            answer["expires_in"] = told[documented if spelling == "as documented" else spelling]
        if self._switches.refresh_token:
            answer |= {"refresh_token": f"refresh of {self._minted}", "refresh_expires_in": 1800}
        return answer


def subject_token(tenant: Tenant) -> str:
    """The token that a tenant may exchange for one of the platform's."""
    return identity(tenant.admin_client.secret, "subject token")


def _base64(said: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
