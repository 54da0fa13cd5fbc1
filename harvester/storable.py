"""What Postgres can hold of what a platform says, and which instants a working clock tells."""

import json
from datetime import UTC, datetime, timedelta

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No sensor of ours measured before; 1970 is a clock that was never set."""
FURTHEST_AHEAD = timedelta(days=1)
"""A clock may be ahead by this much."""
LONGEST_NAME = 200
"""Characters of a device's identifier or a channel's name; both are keys."""


def is_plausible(instant: datetime, now: datetime) -> bool:
    return EARLIEST <= instant <= now + FURTHEST_AHEAD


def is_storable(text: str, longest: int) -> bool:
    """Whether Postgres can hold it: no NUL, no lone surrogate, no endless key."""
    if len(text) > longest or "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable(text: str) -> str:
    """The text, with what Postgres cannot hold spelled out."""
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()


def word(text: str | None) -> str | None:
    """The beginning of what a platform calls something."""
    return None if text is None else shown(text, LONGEST_NAME)


def shown(value: object, longest: int = 1000) -> str:
    """Anything a platform said, as short storable text: strings as they are, the rest as JSON."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
    except (RecursionError, ValueError):  # too deep, or too long an integer
        text = f"<{type(value).__name__}>"
    return storable(text[:longest])
