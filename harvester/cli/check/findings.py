"""What `check` found, a line each."""

import os
from dataclasses import dataclass
from typing import Literal

What = Literal["configuration", "keys", "database", "platform", "account"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`exit_code` is 0 unless something is wrong."""

    what: What
    name: str
    state: Literal["ok", "unknown", "wrong"]
    told: str
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Subject:
    """A thing that is looked at, and the code of its being wrong."""

    what: What
    name: str

    def ok(self, told: str) -> Finding:
        return Finding(self.what, self.name, "ok", told)

    def unknown(self, told: str) -> Finding:
        """No fault: it is not there yet, or nobody can tell."""
        return Finding(self.what, self.name, "unknown", told)

    def wrong(self, told: str) -> Finding:
        return Finding(self.what, self.name, "wrong", told, _CODES[self.what])


_CODES = {
    "configuration": os.EX_CONFIG,
    "keys": os.EX_CONFIG,
    "database": os.EX_UNAVAILABLE,
    "platform": os.EX_UNAVAILABLE,
    "account": os.EX_NOPERM,
}
