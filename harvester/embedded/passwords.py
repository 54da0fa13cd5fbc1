"""The passwords of the embedded Postgres: random, each in a private file."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from pathlib import Path

from harvester.embedded.files import write_private
from harvester.errors import EmbeddedPostgresError

_ITERATIONS = 4096  # Postgres's own default; the password is random, so more would not help


def superuser_file(home: Path) -> Path:
    return home / "superuser.password"


def superuser(home: Path) -> str:
    """Raises EmbeddedPostgresError where it is lost: nobody else can set it anew."""
    try:
        return superuser_file(home).read_text().strip()
    except FileNotFoundError:
        raise EmbeddedPostgresError(
            f"The password file {superuser_file(home)} is missing: bring it back from a backup, "
            f"or move {home} away to begin with an empty database."
        ) from None


def application(home: Path) -> str:
    """Made where it is missing; the role is given it at each start."""
    path = home / "harvester.password"
    if not path.exists():
        make(path)
    return path.read_text().strip()


def make(path: Path) -> None:
    # Durable before it is used: a password that a power cut takes back would lock us out.
    write_private(path, secrets.token_urlsafe(32) + "\n")


def verifier(password: str) -> str:
    """What Postgres stores of it (RFC 5803). Sent instead of the password, so that no setting of
    the server can bring the password into its log."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(_ITERATIONS, *parts)
