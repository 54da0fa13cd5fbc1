"""Sealing: what is secret lies in the database only encrypted, and bound to its owner.

AES-256-GCM. The owner goes in as associated data, so a row that was moved, or a copy of the
database under another deployment, opens nothing.

A key file holds one key a line, `key_id base64key`, and `#` comments. The first key seals; the
others still open what they sealed.
"""

import base64
import binascii
import contextlib
import errno
import os
import re
import secrets
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from harvester.errors import ConfigError, SealBroken

KEY_BYTES = 32
NONCE_BYTES = 12
MOST_BYTES = 64 * 1024
"""A key file is small; what is longer is another file, or a device that never ends."""
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
HEADER = "# Keys of harvester: who has this file and the database can log in as every account.\n"


@dataclass(frozen=True, slots=True)
class Context:
    """The owner of a sealed value. `account` is "" for the tenant's own client."""

    deployment: str
    tenant: str
    account: str
    field: str

    def encoded(self) -> bytes:
        """Each part behind its length, so that no two owners are ever written alike."""
        parts = (self.deployment, self.tenant, self.account, self.field)
        texts = [part.encode("utf-8", "surrogatepass") for part in parts]
        return b"".join(len(text).to_bytes(4, "big") + text for text in texts)


@dataclass(frozen=True, slots=True)
class Sealed:
    """What the database keeps: the key's id, and nonce + ciphertext + tag."""

    key_id: str
    data: bytes


class KeyRing:
    """The keys of a key file, in its order. They never show in a representation."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._sealing = next(iter(keys))

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._ciphers)})"

    @classmethod
    def load(cls, path: Path) -> "KeyRing":
        """Read a key file. Raises ConfigError with what to mend."""
        try:
            content = _private_content(path)
        except FileNotFoundError:
            raise ConfigError(f"{path}: this key file does not exist") from None
        except OSError as error:
            raise ConfigError(f"{path}: this key file cannot be read: {error.strerror}") from None
        return cls(_parsed(path, content))

    @classmethod
    def load_or_create(cls, path: Path) -> tuple["KeyRing", bool]:
        """Read a key file, made first where there is none; whether it was made just now.

        Raises ConfigError, as `load` does, and where the file cannot be made.
        """
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = not path.exists() and create(path)
        except OSError as error:
            raise ConfigError(f"{path}: this key file cannot be made: {error.strerror}") from None
        return cls.load(path), made

    def seal(self, plaintext: str, context: Context) -> Sealed:
        """Encrypt under the first key, bound to `context`."""
        nonce = os.urandom(NONCE_BYTES)
        cipher = self._ciphers[self._sealing]
        # A token is whatever JSON string a platform sent, lone surrogates included.
        text = plaintext.encode("utf-8", "surrogatepass")
        return Sealed(self._sealing, nonce + cipher.encrypt(nonce, text, context.encoded()))

    def open(self, sealed: Sealed, context: Context) -> str:
        """What was sealed for this owner. Raises SealBroken."""
        what = f"the {context.field} of {context.tenant}/{context.account}"
        cipher = self._ciphers.get(sealed.key_id)
        if cipher is None:
            raise SealBroken(f"{what}: its key {sealed.key_id!r} is not in the key file")
        nonce, rest = sealed.data[:NONCE_BYTES], sealed.data[NONCE_BYTES:]
        try:
            text = cipher.decrypt(nonce, rest, context.encoded())
        except (InvalidTag, ValueError):  # ValueError: shorter than a nonce
            raise SealBroken(f"{what}: altered, or sealed for another owner or key") from None
        return text.decode("utf-8", "surrogatepass")


def _private_content(path: Path) -> bytes:
    """The bytes of a file that nobody else may read. Raises OSError, ConfigError."""
    with open_regular(path) as file:
        # Asked of the open file: between a look at the path and its opening it could be swapped.
        shared = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
        if shared and not _is_credential(path):
            raise ConfigError(
                f"{path}: others than its owner may use this key file; "
                f"run: chmod 600 {shlex.quote(str(path))}"
            )
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{path}: too long for a key file")
    return content


def open_regular(path: Path) -> BinaryIO:
    """A file open for reading. Raises OSError, also where it is a pipe: which may hang."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return os.fdopen(descriptor, "rb")
    except OSError:
        os.close(descriptor)
        raise


def _is_credential(path: Path) -> bool:
    """Whether systemd passed the file: it keeps others out by the folder, not by the mode."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return bool(folder) and path.resolve().is_relative_to(Path(str(folder)).resolve())


def _parsed(path: Path, content: bytes) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        words = line.partition(b"#")[0].split()
        if not words:
            continue
        # Of a wrong line only its number is told: the rest may be a key.
        where = f"{path}, line {number}"
        key_id = words[0].decode("ascii", "replace")
        if len(words) != 2 or not KEY_ID.fullmatch(key_id):
            raise ConfigError(f"{where}: a key is written as: key_id base64key")
        if key_id in keys:
            raise ConfigError(f"{where}: the key id {key_id} is there twice")
        keys[key_id] = _key(where, words[1])
    if not keys:
        raise ConfigError(f"{path}: this key file holds no key")
    return keys


def _key(where: str, word: bytes) -> bytes:
    with contextlib.suppress(binascii.Error):
        key = base64.b64decode(word, validate=True)
        if len(key) == KEY_BYTES:
            return key
    raise ConfigError(f"{where}: the key is not {KEY_BYTES} bytes in base64")


def create(path: Path) -> bool:
    """Make a key file with one new key, whole or not at all; False where something is there.

    Raises OSError.
    """
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    draft = path.parent / f"{path.name}.{secrets.token_hex(8)}"
    try:
        _write_durably(draft, f"{HEADER}{secrets.token_hex(4)} {key}\n".encode())
        # A link, not a rename: it fails where another starter was first, whose key is in use.
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return True


def _write_durably(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """A name is durable once its folder is: tokens sealed by a key that a crash took are lost."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
