"""A token that came while the database was away, in a file: sealed, durable, adopted later.

It is written before the database is asked to commit, so that a crash in between loses nothing.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from harvester import durable
from harvester.auth.held import Account, Held
from harvester.auth.sealed import SEAL_BROKEN, Keys, context
from harvester.errors import KeyMissing, SealBroken, TokenError
from harvester.logs import Failures
from harvester.model import BEGINNING, Token
from harvester.vault import Sealed

UNREADABLE = "spill_unreadable"


class Spill:
    """The file of one account."""

    def __init__(self, folder: Path, account: Account, keys: Keys, failures: Failures) -> None:
        owner = context(account, "").encoded()
        self.path = folder / hashlib.sha256(owner).hexdigest()[:32]
        self._context = context(account, "spill")
        self._keys = keys
        self._failures = failures

    async def write(self, held: Held) -> bool:
        """Whether it is durable now; told where it is not."""
        sealed = self._keys.seal(_told(held), self._context)
        content = {"key_id": sealed.key_id, "data": base64.b64encode(sealed.data).decode()}
        return await self._did("unwritable", _write, self.path, json.dumps(content).encode())

    async def read(self) -> Held | None:
        """What was spilled; None where nothing was, or nothing that is ours.

        Raises TokenError where its key is missing: it may be the newest token, and stays there.
        """
        content: list[bytes] = []
        if not await self._did("unreadable", _read, self.path, content):
            raise TokenError(
                f"{self.path} cannot be read: it may hold the newest token", UNREADABLE
            )
        if not content:
            return None
        try:
            said = json.loads(content[0])
            sealed = Sealed(said["key_id"], base64.b64decode(said["data"]))
            return _heard(await self._keys.open(sealed, self._context))
        except KeyMissing as error:
            raise TokenError(str(error), SEAL_BROKEN) from error
        except (ValueError, KeyError, TypeError, SealBroken):
            self._failures.failing("spill file content", "not_ours", file=self.path.name)
            return None

    async def erase(self) -> None:
        """What stays, because it cannot be, is of a generation that the database has."""
        await self._did("not_erased", _erase, self.path)

    async def _did(self, otherwise: str, act: Callable[..., None], *args: object) -> bool:
        try:
            await asyncio.to_thread(act, *args)
        except OSError as error:
            self._failures.failing("spill file", otherwise, error=error.strerror)
            return False
        self._failures.well("spill file")
        return True


def _told(held: Held) -> str:
    token = held.token
    instants = (
        token.expires_at,
        token.refresh_expires_at,
        held.since,
        held.logged_in_at,
        held.ends_at,
    )
    told = [each.isoformat() if each else None for each in instants]
    return json.dumps([held.generation, token.access_token, token.refresh_token, *told])


def _heard(text: str) -> Held:
    generation, access, refresh, *told = json.loads(text)
    expires, refresh_expires, since, logged_in, ends = (
        datetime.fromisoformat(each) if each else None for each in told
    )
    token = Token(access, expires, refresh, refresh_expires)
    return Held(token, since or BEGINNING, generation, logged_in, ends)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    # In place: whole or not, its seal tells, and what stood there the database has. A draft to be
    # renamed would be lost with the token that it holds already.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        durable.write(file, content)
    durable.sync_folder(path.parent)


def _read(path: Path, content: list[bytes]) -> None:
    with suppress(FileNotFoundError, NotADirectoryError):
        content.append(path.read_bytes())


def _erase(path: Path) -> None:
    path.unlink(missing_ok=True)
