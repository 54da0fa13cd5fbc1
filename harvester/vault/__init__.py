"""Sealing: what is secret lies in the database only encrypted, and bound to its owner.

AES-256-GCM. The owner goes in as associated data, so a row that was moved, or a copy of the
database under another deployment, opens nothing.

A key file holds one key a line. The first key seals; the others still open what they sealed.
"""

from harvester.vault.files import open_regular
from harvester.vault.keys import Keys
from harvester.vault.ring import Context, KeyRing, Sealed
from harvester.vault.sources import KeyFile, KeySource, KeyVariable, OwnKeyFile, create

__all__ = [
    "Context",
    "KeyFile",
    "KeyRing",
    "KeySource",
    "KeyVariable",
    "Keys",
    "OwnKeyFile",
    "Sealed",
    "create",
    "open_regular",
]
