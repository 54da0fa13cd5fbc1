"""The fake's logins: who gets a token at which of the four levels, and in which words who does not.

A refusal is `invalid_grant` in whatever trouble; two sentences beside the usual one tell that the
password was right.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from aiohttp import web

from harvester.simulator import usergrid_asked as asked, usergrid_shapes as shapes
from harvester.simulator.tenants import Client, Tenant, User
from harvester.simulator.usergrid_asked import is_whole
from harvester.simulator.usergrid_auth import Principal, Tokens
from harvester.simulator.usergrid_quirks import Switches
from harvester.simulator.usergrid_shapes import ApiRefusal, GrantRefusal
from harvester.simulator.usergrid_tokens import client_id
from harvester.simulator.world import World

_ELSEWHERE = "External SSO integration is enabled, admin users must login via provider: usergrid"


def application_client(tenant: Tenant) -> Client:
    return Client(client_id("ap", shapes.application_id(tenant)), tenant.user_client.secret)


def organization_client(tenant: Tenant) -> Client:
    return Client(client_id("ou", shapes.organization_id(tenant)), tenant.admin_client.secret)


class Logins:
    """Who may log in, with which password, and the violations seen in trying.

    A tenant's users are users of its application, and beside that admin users of its organization.
    """

    def __init__(self, world: World, switches: Switches, tokens: Tokens) -> None:
        self._world = world
        self._switches = switches
        self._tokens = tokens
        self._under_way: list[str] = []
        self._rejected: set[tuple[str, str]] = set()
        self.passwords = {
            user.name: user.password for tenant in world.tenants.values() for user in tenant.users
        }
        self.refused: dict[str, str] = {}  # with which words, whatever the password
        self.unconfirmed: set[str] = set()
        self.violations: list[str] = []

    def at(self, tenant: Tenant | None, params: Mapping[str, str]) -> dict[str, object]:
        """Answer a token call of an application, or of the management where there is no tenant.

        Raises GrantRefusal, ApiRefusal.
        """
        ttl = _ttl(params)
        if params.get("grant_type") == "password":
            return self._tokens.issue(self._user(tenant, params), ttl)
        if params.get("grant_type") == "client_credentials":
            return self._of_client(params, ttl)
        raise GrantRefusal()

    def client(self, given: Client) -> Principal:
        """A client is of the level that its id says, wherever it asks. Raises GrantRefusal."""
        for tenant in self._world.tenants.values():
            if given == application_client(tenant):
                return Principal("application", tenant)
            if given == organization_client(tenant):
                return Principal("organization", tenant)
        raise GrantRefusal()

    def principal(self, request: web.Request) -> Principal | None:
        """Who asks, by a token or as a client, if anybody. Raises ApiRefusal."""
        if text := asked.bearer(request):
            return self._tokens.bearer(text)
        try:
            if client := asked.basic(request):
                return self.client(client)
        except GrantRefusal:
            told = "Unable to authenticate due to invalid client credentials"
            raise ApiRefusal(401, "auth_invalid_credentials", told) from None
        try:
            if client := asked.client_in_query(request):
                return self.client(client)
        except GrantRefusal:
            raise ApiRefusal(401, "invalid_client", "Unable to authenticate (OAuth)") from None
        return None

    @contextmanager
    def under_way(self, params: Mapping[str, str]) -> Iterator[None]:
        """Stand for the time a login takes, and note if it meets another one of its account."""
        account = params.get("username") or params.get("client_id", "")
        if account in self._under_way:
            self.violations.append(f"overlapping logins of {account}")
        self._under_way.append(account)
        try:
            yield
        finally:
            self._under_way.remove(account)

    def _of_client(self, params: Mapping[str, str], ttl: int) -> dict[str, object]:
        given = Client(params.get("client_id", ""), params.get("client_secret", ""))
        try:
            return self._tokens.issue(self.client(given), ttl)
        except ApiRefusal:  # swallowed, with what it says of the ttl
            raise GrantRefusal() from None

    def _user(self, tenant: Tenant | None, params: Mapping[str, str]) -> Principal:
        if tenant is None:
            self._check_local()
        name, password = params.get("username", "").lower(), params.get("password", "")
        home, user = self._found(tenant, name)
        if user is None or self.passwords[user.name] != password:
            self._note_rejected(name, password)
            raise GrantRefusal()
        if tenant is None and user.name in self.unconfirmed:
            raise GrantRefusal("User must be confirmed to authenticate", status=403)
        if user.name in self.refused:
            raise GrantRefusal(self.refused[user.name])
        return Principal("user" if tenant else "admin", home, user)

    def _found(self, tenant: Tenant | None, name: str) -> tuple[Tenant, User | None]:
        """By e-mail address, UUID or, in an application, user name."""
        homes = [tenant] if tenant else list(self._world.tenants.values())
        for home in homes:
            for user in home.users:
                names = {user.name, user.id} | ({shapes.username(user)} if tenant else set())
                if name in names and user.name not in self._tokens.removed:
                    return home, user
        return homes[0], None

    def _check_local(self) -> None:
        if self._switches.external_login == "illegal_argument":
            raise ApiRefusal(400, "illegal_argument", _ELSEWHERE)
        if self._switches.external_login == "invalid_grant":
            raise GrantRefusal(_ELSEWHERE)

    def _note_rejected(self, name: str, password: str) -> None:
        if (name, password) in self._rejected:
            self.violations.append(f"rejected password tried again for {name}")
        self._rejected.add((name, password))


def _ttl(params: Mapping[str, str]) -> int:
    text = params.get("ttl") or "0"
    if not is_whole(text):
        raise ApiRefusal(400, "illegal_argument", "ttl must be a number >= 0")
    return int(text)
