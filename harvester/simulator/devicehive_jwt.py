"""The fake's JSON Web Tokens: HS256, one claim `payload`, and a key that is an oddity."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from itertools import islice, permutations
from math import factorial

HEADER = {"alg": "HS256"}


def signed(payload: Mapping[str, object], secret: str, number: int) -> str:
    """The token. The order of the keys, which means nothing, goes by `number`: so two tokens of
    one millisecond differ, which have no other identity."""
    turn = number % factorial(len(payload))
    ordered = dict(next(islice(permutations(payload.items()), turn, None)))
    text = f"{_base64(_json(HEADER))}.{_base64(_json({'payload': ordered}))}"
    return f"{text}.{_base64(_seal(text, secret))}"


def opened(token: str, secret: str) -> dict[str, object] | None:
    """The payload of a token that was signed with this secret, whoever signed it."""
    text, _, seal = token.rpartition(".")
    try:
        if not hmac.compare_digest(_unbase64(seal), _seal(text, secret)):
            return None
        told = json.loads(_unbase64(text.partition(".")[2]))
    except (ValueError, binascii.Error):
        return None
    payload = told.get("payload") if isinstance(told, dict) else None
    return payload if isinstance(payload, dict) else None


def key(secret: str) -> bytes:
    """The secret is taken for base64, whatever it is; what is left over at its end is dropped."""
    return base64.b64decode(secret[: len(secret) // 4 * 4])


def _seal(text: str, secret: str) -> bytes:
    return hmac.new(key(secret), text.encode(), hashlib.sha256).digest()


def _json(told: Mapping[str, object]) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
