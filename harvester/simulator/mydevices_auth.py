"""The fake's tokens: a small Keycloak that really logs in, renews, expires and refuses.

Refusals have Keycloak's form, `{"error", "error_description"}`, with the words and statuses of its
source. All times are the platform's own. Two kinds of tokens do not cross over: those of users
(password grant, at the API's host) and those of a tenant's admin client (client credentials, at its
realm).
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from harvester.simulator.chance import identity
from harvester.simulator.faults import Refusal
from harvester.simulator.mydevices_quirks import Switches
from harvester.simulator.tenants import Client, Tenant, User
from harvester.simulator.world import World

BAD_CLIENT = "Invalid client or Invalid client credentials"


class GrantRefusal(Exception):
    """A token call is refused, in Keycloak's words."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(status, error, description)
        self.status = status
        self.body = {"error": error, "error_description": description}


@dataclass(slots=True)
class Session:
    """One login. `user` is None for an admin client's. `newest` is its latest refresh token."""

    id: str
    tenant: Tenant
    client: Client
    user: User | None
    ends: datetime | None
    newest: str = ""
    state: str = "live"  # or "logged out", or "detached" after a reused refresh token

    @property
    def account(self) -> str:
        return self.user.name if self.user else f"client {self.client.id}"


@dataclass(frozen=True, slots=True)
class Token:
    """What the fake knows of a token it gave out."""

    session: Session
    expires: datetime


class Tokens:
    """All sessions and tokens of one fake, and the violations seen in their use."""

    def __init__(self, world: World, switches: Switches) -> None:
        self._world = world
        self._switches = switches
        self._access: dict[str, Token] = {}
        self._refresh: dict[str, Token] = {}
        self._sessions: list[Session] = []
        self._renewing: list[str] = []
        self._rejected: set[tuple[str, str]] = set()
        self._minted = 0
        self.disabled: set[str] = set()
        self.violations: list[str] = []

    def now(self) -> datetime:
        """The time as the platform has it."""
        return self._world.clock.now() + self._switches.clock_skew

    def at_gateway(self, params: Mapping[str, str]) -> dict[str, object]:
        """Answer a token call on user level: password and refresh grants of user clients."""
        grant = _grant_type(params, "password", "refresh_token")
        tenant, client = self._client(params, tuple(self._world.tenants.values()))
        if client is tenant.admin_client:
            raise GrantRefusal(
                400, "unauthorized_client", "Client not allowed for direct access grants"
            )
        if grant == "refresh_token":
            return self._renew(client, params)
        return self._open(tenant, client, self._user(tenant, params))

    def at_realm(self, tenant: Tenant, params: Mapping[str, str]) -> dict[str, object]:
        """Answer a token call at the realm of `tenant`: for its admin client alone."""
        grant = _grant_type(params, "client_credentials", "refresh_token")
        _, client = self._client(params, (tenant,))
        if client is not tenant.admin_client:
            message = "Client not enabled to retrieve service account"
            raise GrantRefusal(401, "unauthorized_client", message)
        if grant == "refresh_token":
            return self._renew(client, params)
        return self._open(tenant, client, None)

    def bearer(self, header: str | None) -> Session:
        """Return the session of an `Authorization` header; raise Refusal 401.

        As the gateway does, it looks at the token alone: that of a user who was disabled or logged
        out since serves until it expires. Expired and invented read the same.
        """
        if not header:
            raise Refusal(401, "Missing authentication")
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise Refusal(401, "Invalid token format")
        token = self._access.get(text)
        if token is None or token.expires <= self.now():
            raise Refusal(401, "Invalid credentials")
        return token.session

    def revoke(self, user: str) -> None:
        """End all access tokens of the user of that name, whatever end was told of them."""
        self._access = {
            text: token for text, token in self._access.items() if token.session.account != user
        }

    def log_out(self, user: str) -> None:
        """End all sessions of the user of that name, as a platform's admin can."""
        for session in self._sessions:
            if session.account == user:
                session.state = "logged out"

    @contextmanager
    def renewal(self, refresh_token: str | None) -> Iterator[None]:
        """Stand for the time a refresh is under way, and note if it meets another's."""
        token = self._refresh.get(refresh_token or "")
        if token is None:
            yield
            return
        account = token.session.account
        if account in self._renewing:
            self.violations.append(f"overlapping refreshes of {account}")
        self._renewing.append(account)
        try:
            yield
        finally:
            self._renewing.remove(account)

    def _client(
        self, params: Mapping[str, str], tenants: Sequence[Tenant]
    ) -> tuple[Tenant, Client]:
        if "client_id" not in params:
            raise GrantRefusal(400, "invalid_client", "Missing client_id parameter")
        for tenant in tenants:
            for client in (tenant.user_client, tenant.admin_client):
                if client.id == params["client_id"]:
                    if client.secret != params.get("client_secret"):
                        raise GrantRefusal(self._of_client(), "unauthorized_client", BAD_CLIENT)
                    return tenant, client
        raise GrantRefusal(self._of_client(), "invalid_client", BAD_CLIENT)

    def _of_client(self) -> int:
        """Return the status of a client's refusal: it moved the other way than a user's did."""
        return 400 if self._switches.status_profile == "old" else 401

    def _user(self, tenant: Tenant, params: Mapping[str, str]) -> User:
        if not params.get("username"):
            raise GrantRefusal(401, "invalid_request", "Missing parameter: username")
        name, password = params["username"].lower(), params.get("password", "")
        user = next((user for user in tenant.users if user.name == name), None)
        if name in self.disabled:
            raise GrantRefusal(400, "invalid_grant", "Account disabled")
        if user is None or user.password != password:
            self._note_rejected(name, password)
            status = 401 if self._switches.status_profile == "old" else 400
            raise GrantRefusal(status, "invalid_grant", "Invalid user credentials")
        return user

    def _note_rejected(self, name: str, password: str) -> None:
        # On a real platform such repetition locks the account out.
        if (name, password) in self._rejected:
            self.violations.append(f"rejected password tried again for {name}")
        self._rejected.add((name, password))

    def _open(self, tenant: Tenant, client: Client, user: User | None) -> dict[str, object]:
        longest = self._switches.session_max
        ends = self.now() + timedelta(seconds=longest) if longest else None
        name = identity(self._world.seed, "session", len(self._sessions))
        session = Session(name, tenant, client, user, ends)
        self._sessions.append(session)
        return self._issue(session)

    def _renew(self, client: Client, params: Mapping[str, str]) -> dict[str, object]:
        text = params.get("refresh_token")
        if not text:
            raise GrantRefusal(400, "invalid_request", "No refresh token")
        token = self._refresh.get(text)
        if token is None:
            raise GrantRefusal(400, "invalid_grant", "Invalid refresh token")
        if reason := self._why_not(token, text, client):
            raise GrantRefusal(400, "invalid_grant", reason)
        return self._issue(token.session)

    def _why_not(self, token: Token, text: str, client: Client) -> str | None:
        """Return why a known refresh token serves no longer; a reused one kills its session."""
        session = token.session
        if session.client is not client:
            return "Invalid refresh token. Token client and authorized client don't match"
        if session.account in self.disabled:
            return "User disabled"
        if token.expires <= self.now():
            return "Token is not active"
        if session.state == "logged out":
            return "Session not active"
        if session.state == "detached":
            return "Session doesn't have required client"
        if self._switches.rotate and session.newest != text:
            session.state = "detached"
            self.violations.append(f"used refresh token sent again by {session.account}")
            return "Stale token"
        return None

    def _issue(self, session: Session) -> dict[str, object]:
        access_for = self._within(session, self._switches.access_ttl)
        refresh_for = self._within(session, self._switches.refresh_ttl)
        access, refresh = (
            self._mint(session, "Bearer", access_for),
            self._mint(session, "Refresh", refresh_for),
        )
        self._access[access] = self._token(session, access_for)
        self._refresh[refresh] = self._token(session, refresh_for)
        session.newest = refresh
        return {
            "access_token": access,
            "expires_in": access_for,
            "refresh_expires_in": refresh_for,
            "refresh_token": refresh,
            "token_type": "bearer",
            "not-before-policy": 0,
            "session_state": session.id,
            "scope": "profile email" if session.user else "",
        }

    def _within(self, session: Session, seconds: int) -> int:
        """Return `seconds`, shortened to what is left of the session."""
        if session.ends is None:
            return seconds
        return min(seconds, int((session.ends - self.now()).total_seconds()))

    def _token(self, session: Session, seconds: int) -> Token:
        return Token(session, self.now() + timedelta(seconds=seconds))

    def _mint(self, session: Session, typ: str, seconds: int) -> str:
        """Return a text in the shape of a JWT. The fake itself knows its tokens by heart."""
        self._minted += 1
        issued = int(self.now().timestamp())
        claims = {
            "jti": identity(self._world.seed, "token", self._minted),
            "exp": issued + seconds,
            "iat": issued,
            "sub": session.user.id if session.user else identity(session.client.id),
            "typ": typ,
            "azp": session.client.id,
            "session_state": session.id,
        }
        signed = f"{_base64({'alg': 'HS256', 'typ': 'JWT'})}.{_base64(claims)}"
        seal = hmac.new(session.id.encode(), signed.encode(), hashlib.sha256).hexdigest()
        return f"{signed}.{seal}"


def _grant_type(params: Mapping[str, str], *known: str) -> str:
    if "grant_type" not in params:
        raise GrantRefusal(400, "invalid_request", "Missing form parameter: grant_type")
    if params["grant_type"] not in known:
        raise GrantRefusal(400, "unsupported_grant_type", "Unsupported grant_type")
    return params["grant_type"]


def _base64(claims: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
