"""AES-256-GCM under the keys of a ring, with the owner as associated data."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from harvester.errors import KeyMissing, SealBroken

NONCE_BYTES = 12


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
    """Keys by their ids: the first seals, all open. Iterating gives the ids; no key ever shows."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.sealing = next(iter(keys))
        """The id of the key that seals."""

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._ciphers)})"

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._ciphers

    def __iter__(self) -> Iterator[str]:
        return iter(self._ciphers)

    def seal(self, plaintext: str, context: Context) -> Sealed:
        """Encrypt under the first key, bound to `context`."""
        nonce = os.urandom(NONCE_BYTES)
        cipher = self._ciphers[self.sealing]
        # A token is whatever JSON string a platform sent, lone surrogates included.
        text = plaintext.encode("utf-8", "surrogatepass")
        return Sealed(self.sealing, nonce + cipher.encrypt(nonce, text, context.encoded()))

    def open(self, sealed: Sealed, context: Context) -> str:
        """What was sealed for this owner. Raises KeyMissing, SealBroken."""
        what = f"the {context.field} of {context.tenant}/{context.account}"
        cipher = self._ciphers.get(sealed.key_id)
        if cipher is None:
            raise KeyMissing(
                f"{what}: its key {sealed.key_id!r} is not in the key file; put the line of that "
                "key back, from a copy"
            )
        nonce, rest = sealed.data[:NONCE_BYTES], sealed.data[NONCE_BYTES:]
        try:
            text = cipher.decrypt(nonce, rest, context.encoded())
        except (InvalidTag, ValueError):  # ValueError: shorter than a nonce
            raise SealBroken(
                f"{what}: altered, or sealed for another owner or key; mend `deployment` or the "
                "key file, else log in again"
            ) from None
        return text.decode("utf-8", "surrogatepass")
