"""The fake's tokens: logins, refreshes, tokens made to measure, and who may do what with them.

As on the platform nothing is remembered of a token: it says itself what it is good for, and is
believed if the signature is right. Grants are frozen in it, and copied by a refresh.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from harvester.simulator import devicehive_asked as asking, devicehive_jwt as jwt
from harvester.simulator.devicehive_asked import Asked
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.devicehive_site import ACTIVE, ADMIN, LOCKED, Account, built
from harvester.simulator.faults import Refusal
from harvester.simulator.world import World, millis

ACTIONS = (
    "Any",
    "None",
    "GetNetwork",
    "GetDevice",
    "GetDeviceNotification",
    "GetDeviceCommand",
    "RegisterDevice",
    "CreateDeviceCommand",
    "UpdateDeviceCommand",
    "CreateDeviceNotification",
    "GetCurrentUser",
    "UpdateCurrentUser",
    "ManageUser",
    "ManageConfiguration",
    "ManageNetwork",
    "ManageToken",
    "ManagePlugin",
    "GetDeviceType",
    "ManageDeviceType",
)
"""By number."""
ANY, NONE, MANAGE_TOKEN = 0, 1, 15
OF_CLIENTS = (*range(2, 12), 15, 16, 17)
REFRESH, ACCESS = 0, 1

Payload = dict[str, object]


class ContainerRefusal(Refusal):
    """A 401 in the words of the container that the platform runs in."""

    def __init__(self, message: str = "") -> None:
        super().__init__(401, message)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who asks, and what the token says that it is good for."""

    account: Account
    payload: Payload

    def may(self, action: int) -> bool:
        """Whether for that action. A token that names none has all that clients have."""
        actions = self.payload.get("a")
        if not (isinstance(actions, list) and actions):
            return action in OF_CLIENTS
        return ANY in actions or action in actions

    @property
    def networks(self) -> set[str]:
        """By id, or "*" for all."""
        said = self.payload.get("n")
        return set(said) if isinstance(said, list) else set()


class Tokens:
    """All that is decided about tokens, and the violations seen in their use."""

    def __init__(self, world: World, switches: Switches) -> None:
        self._world = world
        self._switches = switches
        self._secret = switches.jwt_secret
        self._refreshing: list[str] = []
        self._rejected: set[tuple[str, str]] = set()
        self._minted = 0
        self.site = built(world, switches)
        self.violations: list[str] = []

    def now(self) -> datetime:
        """The time as the platform has it."""
        return self._world.clock.now() + self._switches.clock_skew

    def change_secret(self) -> None:
        """All tokens are worth nothing from now on."""
        self._secret += "next"

    def login(self, asked: Asked) -> Payload:
        login, password = asked.get("login") or "", asked.get("password") or ""
        if not (isinstance(login, str) and isinstance(password, str)):
            raise Refusal(400, "Invalid request parameters")
        if not (login.strip() and password):
            raise Refusal(400, "Invalid or empty authorization request parameters")
        account = self._proven(login, password)
        return self._pair(self._grants(account), None, None)

    def refresh(self, asked: Asked) -> Payload:
        """Only an access token: the refresh token stays as it is, and is not spent."""
        text = asked.get("refreshToken")
        if not isinstance(text, str):
            raise Refusal(500, "Internal server error")
        payload = jwt.opened(text, self._secret)
        if payload is None:
            raise ContainerRefusal
        if payload.get("t") != REFRESH:
            raise Refusal(401, "Invalid token type")
        if _end(payload) < millis(self.now()):
            raise Refusal(401, "Token has expired")
        if self._active(payload) is None:
            raise ContainerRefusal
        return {"accessToken": self._mint(payload, ACCESS, None)}

    def create(self, bearer: Bearer, asked: Asked) -> Payload:
        """Tokens to measure. It is never asked whether the user is the one who asks."""
        if not bearer.may(MANAGE_TOKEN):
            raise Refusal(403, "Access is denied")
        account = self.site.account(asked.get("userId"))
        if account is None:
            raise Refusal(404, f"User with id = {asked.get('userId')} not found")
        if account.status != ACTIVE:
            raise Refusal(403, "User is locked or disabled")
        grants: Payload = {"a": _actions(asked.get("actions")), "u": account.id}
        for key, name in (("n", "networkIds"), ("dt", "deviceTypeIds")):
            if asked.get(name) is not None:
                grants[key] = asked[name]
        end = asking.instant(asked, "expiration")
        refresh_end = asking.instant(asked, "refreshExpiration")
        return self._pair(grants, end, end if refresh_end is None else refresh_end)

    def bearer(self, header: str | None) -> Bearer:
        """Whoever bears the token of an `Authorization` header. Raises Refusal 401."""
        if header is None:
            raise Refusal(401, "Unauthorized")
        if not (len(header) > 6 and header.startswith("Bearer")):
            raise ContainerRefusal
        payload = jwt.opened(header[6:].strip(), self._secret)
        if payload is None or payload.get("t") != ACCESS:
            raise ContainerRefusal("Unauthorized")
        if _end(payload) < millis(self.now()):
            raise ContainerRefusal("Token expired")
        account = self._active(payload)
        if account is None:
            raise ContainerRefusal("Unauthorized")
        return Bearer(account, payload)

    @contextmanager
    def refreshing(self, asked: Asked) -> Iterator[None]:
        """Stand for the time a refresh is under way, and note if it meets another's."""
        payload = jwt.opened(str(asked.get("refreshToken")), self._secret) or {}
        account = self.site.account(payload.get("u"))
        if account is None:
            yield
            return
        if account.login in self._refreshing:
            self.violations.append(f"overlapping refreshes of {account.login}")
        self._refreshing.append(account.login)
        try:
            yield
        finally:
            self._refreshing.remove(account.login)

    def _proven(self, login: str, password: str) -> Account:
        account = self.site.accounts.get(login)
        if account is None:
            self._note_rejected(login, password)
            raise Refusal(401, f"User with login = {login} not found or bad password")
        if account.status != ACTIVE:
            raise Refusal(401, "User is locked or disabled")
        if account.password != password:
            self._note_rejected(login, password)
            self._count_wrong(account)
            raise Refusal(401, "Invalid credentials")
        account.attempts = 0
        return account

    def _note_rejected(self, login: str, password: str) -> None:
        if (login, password) in self._rejected:
            self.violations.append(f"rejected password tried again for {login}")
        self._rejected.add((login, password))

    def _count_wrong(self, account: Account) -> None:
        account.attempts += 1
        if account.attempts >= self._switches.max_attempts:
            account.status, account.attempts = LOCKED, 0
            self.violations.append(f"{account.login} was locked out by wrong passwords")

    def _active(self, payload: Payload) -> Account | None:
        account = self.site.account(payload.get("u"))
        return account if account and account.status == ACTIVE else None

    def _grants(self, account: Account) -> Payload:
        """What a login gives, once and for all."""
        if account.role == ADMIN:
            return {"a": [ANY], "u": account.id, "n": ["*"], "dt": ["*"]}
        all_but = set() if self._switches.manage_token else {MANAGE_TOKEN}
        actions = [each for each in OF_CLIENTS if each not in all_but]
        networks = [str(each) for each in sorted(account.networks)]
        return {"a": actions, "u": account.id, "n": networks, "dt": ["*"]}

    def _pair(self, grants: Payload, end: int | None, refresh_end: int | None) -> Payload:
        return {
            "accessToken": self._mint(grants, ACCESS, end),
            "refreshToken": self._mint(grants, REFRESH, refresh_end),
        }

    def _mint(self, grants: Payload, kind: int, end: int | None) -> str:
        self._minted += 1
        if end is None:
            ttl = self._switches.access_ttl if kind == ACCESS else self._switches.refresh_ttl
            end = millis(self.now()) + 1000 * ttl
        return jwt.signed(grants | {"e": end, "t": kind}, self._secret, self._minted)


def _actions(asked: object) -> list[int]:
    """Names or numbers; those that do not exist are dropped without a word."""
    if asked is None:
        return [NONE]
    if not isinstance(asked, list):
        raise Refusal(400, "Invalid request parameters")
    named = [ACTIONS.index(each) if each in ACTIONS else each for each in asked]
    return [each for each in named if isinstance(each, int) and 0 <= each < len(ACTIONS)]


def _end(payload: Payload) -> int:
    end = payload.get("e")
    return end if isinstance(end, int) else 0
