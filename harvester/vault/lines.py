"""The text of a key file: one key a line, `key_id base64key`, and `#` comments.

The first key seals; the others still open what they sealed. One with `next` behind it is there
before its time: it opens, and seals nothing until it is made the first.
"""

import base64
import binascii
import contextlib
import re
import secrets

from harvester.errors import ConfigError

KEY_BYTES = 32
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
HEADER = b"# Keys of harvester: who has this file and the database can log in as every account.\n"
NEXT = b"next"


def new_line(*, waiting: bool = False) -> tuple[str, bytes]:
    """A new key: its id, and its line."""
    key_id = secrets.token_hex(4)
    words = [key_id.encode(), base64.b64encode(secrets.token_bytes(KEY_BYTES))]
    return key_id, b" ".join([*words, NEXT] if waiting else words) + b"\n"


def keys_in(content: bytes, source: str) -> dict[str, bytes]:
    """The keys by their ids, the one that seals first. Raises ConfigError with what to mend."""
    keys: dict[str, bytes] = {}
    waiting = waiting_keys(content)
    for number, line in enumerate(content.splitlines(), start=1):
        if words := _words(line):
            # Of a wrong line only its number is told: the rest may be a key.
            where = f"{source}, line {number}"
            key_id = _key_id(where, words)
            _add(keys, where, key_id, _key(where, words[1]))
    if len(waiting) > 1:
        raise ConfigError(f"{source}: {', '.join(waiting)} are all marked `next`; one can be")
    if not keys.keys() - set(waiting):
        raise ConfigError(f"{source}: holds no key that seals")
    return {key_id: keys[key_id] for key_id in sorted(keys, key=waiting.__contains__)}


def waiting_keys(content: bytes) -> list[str]:
    """The ids of what is marked `next`."""
    return [_id(words) for line in content.splitlines() if _waits(words := _words(line))]


def with_first(content: bytes, line: bytes) -> bytes:
    """The text with one more key, before all others."""
    lines = content.splitlines(keepends=True)
    first = next(at for at, each in enumerate(lines) if _words(each))
    return b"".join([*lines[:first], line, *lines[first:]])


def with_last(content: bytes, line: bytes) -> bytes:
    """The text with one more key, behind all others."""
    return _ended(content) + line


def with_next_first(content: bytes) -> bytes:
    """The text with the key that waits made the first, and its comment kept."""
    lines = [_ended(each) for each in content.splitlines(keepends=True)]
    [at] = [at for at, each in enumerate(lines) if _waits(_words(each))]
    key, sign, comment = lines.pop(at).partition(b"#")
    line = b" ".join(key.split()[:2])
    return with_first(b"".join(lines), line + (b"  #" + comment if sign else b"\n"))


def _words(line: bytes) -> list[bytes]:
    return line.partition(b"#")[0].split()


def _waits(words: list[bytes]) -> bool:
    return words[2:] == [NEXT]


def _ended(text: bytes) -> bytes:
    return text if text.endswith((b"\n", b"\r")) else text + b"\n"


def _id(words: list[bytes]) -> str:
    return words[0].decode("ascii", "replace")


def _key_id(where: str, words: list[bytes]) -> str:
    key_id = _id(words)
    if not KEY_ID.fullmatch(key_id) or not (len(words) == 2 or _waits(words)):
        raise ConfigError(
            f"{where}: a key is written as: key_id base64key, with `next` behind it where it "
            "shall not seal yet"
        )
    return key_id


def _key(where: str, word: bytes) -> bytes:
    with contextlib.suppress(binascii.Error):
        key = base64.b64decode(word, validate=True)
        if len(key) == KEY_BYTES:
            return key
    raise ConfigError(f"{where}: the key is not {KEY_BYTES} bytes in base64")


def _add(keys: dict[str, bytes], where: str, key_id: str, key: bytes) -> None:
    if key_id in keys:
        raise ConfigError(f"{where}: the key id {key_id} is there twice; take one line out")
    for other, known in keys.items():
        if known == key:
            raise ConfigError(
                f"{where}: {key_id} is the same key as {other}; leave the id that it sealed under"
            )
    keys[key_id] = key
