"""What the fake Usergrid says: its two shapes of refusals, its entities, its envelope."""

from collections.abc import Mapping
from typing import Any

from harvester.simulator.chance import identity
from harvester.simulator.faults import Refusal
from harvester.simulator.tenants import Tenant, User
from harvester.simulator.usergrid_entities import Entity, Version, plural

APPLICATION = "plant7"
"""Each organization of the world has this one."""

# Of the exceptions behind the statuses that a fault may ask for. The 429 is a proxy's.
_CODES = {400: "illegal_argument", 401: "auth_invalid", 404: "entity_not_found"} | {
    403: "forbidden_service_operation",
    429: "too_many_requests",
}
_UNSURE = "Subject does not have permission to access this resource"
_SECURITY = "org.apache.usergrid.rest.exceptions.SecurityException"


class GrantRefusal(Exception):
    """A login is refused, in the short words of OAuth."""

    def __init__(
        self, description: str = "invalid username or password", status: int = 400
    ) -> None:
        super().__init__(status, description)
        self.status = status
        self.body = {"error": "invalid_grant", "error_description": description}


class ApiRefusal(Refusal):
    """Anything else is refused, by a code that is the name of an exception."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(status, description)
        self.code = code


def forbidden() -> ApiRefusal:
    """Not permitted: a 401 like that of a token that has ended, but for its code."""
    return ApiRefusal(401, "unauthorized", _UNSURE)


def refusal(refused: Refusal, now_ms: int) -> dict[str, object]:
    code = (
        refused.code if isinstance(refused, ApiRefusal) else _CODES.get(refused.status, "runtime")
    )
    words = code.title().replace("_", "")
    return {
        "error": code,
        "timestamp": now_ms,
        "duration": 0,
        "exception": _SECURITY
        if refused.status == 401
        else f"org.apache.usergrid.{words}Exception",
        "error_description": refused.message,
    }


def envelope(now_ms: int, **members: object) -> dict[str, object]:
    return {**members, "timestamp": now_ms, "duration": 4}


def answer(
    tenant: Tenant, params: Mapping[str, list[str]], parts: list[str], uri: str
) -> dict[str, object]:
    """What the envelope says of a request; `parts` are of its path, below the application."""
    return {
        "action": "get",
        "application": application_id(tenant),
        "params": params,
        "path": "/" + "/".join(parts),
        "uri": uri,
        "organization": tenant.name,
        "applicationName": APPLICATION,
    }


def entity(entity: Entity, version: Version, name: str, where: str) -> dict[str, object]:
    """An entity of a collection of that name, or of a connection of an entity at `where`."""
    own = version.properties
    metadata: dict[str, object] = {"path": f"{where}/{name}/{entity.uuid}", "size": len(str(own))}
    if where:
        back = f"/{plural(entity.type)}/{entity.uuid}/connecting/{name}"
        metadata["connecting"] = {name: back}
    return {
        **own,
        "uuid": entity.uuid,
        "type": entity.type,
        "created": entity.created,
        "modified": version.modified,
        "metadata": metadata,
    }


def no_resource() -> ApiRefusal:
    return ApiRefusal(404, "service_resource_not_found", "Service resource not found")


def username(user: User) -> str:
    """An application's user has a name beside the e-mail address; both log in."""
    return user.name.partition("@")[0]


def user_entity(user: User, created_ms: int) -> dict[str, object]:
    return {
        "uuid": user.id,
        "type": "user",
        "username": username(user),
        "email": user.name,
        "activated": True,
        "created": created_ms,
        "modified": created_ms,
        "metadata": {"path": f"/users/{user.id}"},
    }


def admin(tenant: Tenant, user: User) -> dict[str, object]:
    """An admin user; its own user name is the e-mail address."""
    name = user.name
    organizations = {tenant.name: organization(tenant)}
    return {"uuid": user.id, "username": name, "email": name, "organizations": organizations}


def organization(tenant: Tenant) -> dict[str, object]:
    applications = {f"{tenant.name}/{APPLICATION}": application_id(tenant)}
    return {
        "uuid": organization_id(tenant),
        "name": tenant.name,
        "applications": applications,
    }


def application(tenant: Tenant, created_ms: int) -> dict[str, Any]:
    return {
        "uuid": application_id(tenant),
        "type": "application",
        "name": f"{tenant.name}/{APPLICATION}",
        "created": created_ms,
        "modified": created_ms,
        "organizationName": tenant.name,
        "applicationName": APPLICATION,
        "metadata": {"collections": ["devices", "roles", "users"]},
    }


def organization_id(tenant: Tenant) -> str:
    return identity(tenant.name, "organization")


def application_id(tenant: Tenant) -> str:
    return identity(tenant.name, "application")


def token_answer(
    token: str, seconds: int, spelling: str, members: Mapping[str, object]
) -> dict[str, object]:
    """A login that succeeded; `spelling` is how its lifetime is said."""
    spelt: dict[str, object] = {
        "int": seconds,
        "float": float(seconds),
        "string": str(seconds),
        "zero": 0,
        "null": None,
    }
    told = {"expires_in": spelt[spelling]} if spelling in spelt else {}
    return {"access_token": token, **told, **members}
