"""The texts of the fake's tokens and client ids: laid out as the server's source lays them out."""

import base64
import hashlib
import struct
from binascii import Error
from uuid import UUID

SALT = "super secret token value"
"""What an installation should have changed."""

_ACCESS = "YWMt"  # ac-
_SIGNATURE = 24
_WHOLE = 44
_GREGORIAN = 0x01B21DD213814000  # 1970 in the 100 ns of a time UUID, which count from 1582
_EVER = 2**64


class Forged(Exception):
    """No token that this server has signed."""


def time_uuid(ms: int, number: int) -> UUID:
    """A version 1 UUID of that instant; `number` tells those of one millisecond apart."""
    ticks = _GREGORIAN + 10_000 * ms + number % 10_000
    low, middle, high = ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF | 0x1000
    return UUID(fields=(low, middle, high, 0xB9, 0xD1, 0x0242AC120002))


def millis_of(uuid: UUID) -> int:
    """The instant in a version 1 UUID."""
    return (uuid.time - _GREGORIAN) // 10_000


def minted(uuid: UUID, expires_ms: int) -> str:
    """The token of 63 characters; beyond 64 bits its end wraps around, as it does there."""
    expires = _wrapped(expires_ms)
    signed = hashlib.sha1(f"ac{uuid}{SALT}{expires}".encode()).digest()  # noqa: S324 - theirs
    return _ACCESS + _base64(uuid.bytes + struct.pack(">q", expires) + signed)


def opened(text: str) -> tuple[UUID, int]:
    """Its UUID and its end in ms, which is negative where it wrapped. Raises Forged."""
    try:
        raw = base64.urlsafe_b64decode(text[4:] + "=" * (-len(text) % 4))
    except (Error, ValueError):
        raise Forged(text) from None
    if not text.startswith(_ACCESS) or len(raw) != _WHOLE:
        raise Forged(text)
    uuid, (expires,) = UUID(bytes=raw[:16]), struct.unpack(">q", raw[16:_SIGNATURE])
    if minted(uuid, expires) != text:
        raise Forged(text)
    return uuid, expires


def has_ended(expires_ms: int, now_ms: int) -> bool:
    """Compared in 64 bits: what wrapped around does not end."""
    return _wrapped(now_ms - expires_ms) > 0


def of_old(uuid: UUID) -> str:
    """Three parts with colons, as in the vendor's samples of 2011; what they hold is a guess."""
    return ":".join((_base64(uuid.bytes), _base64(uuid.bytes[::-1]), _base64(b"au:" + uuid.bytes)))


def client_id(kind: str, uuid: str) -> str:
    """26 characters; `kind` is "ap" for an application and "ou" for an organization."""
    return base64.b64encode(f"{kind}:".encode()).decode() + _base64(UUID(uuid).bytes)


def _wrapped(ms: int) -> int:
    return (ms + _EVER // 2) % _EVER - _EVER // 2


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
