"""What a refusal means: its code of four digits, of which the status is no more than the class.

The same code means different things of different endpoints: docs/platforms/coiote.md.
"""

from typing import Final

from harvester.errors import Forbidden, RequestRefused

BAD_RANGE: Final = 4000
"""A window that ends in the platform's future, or before it begins."""
NOT_PERMITTED: Final = 4030
"""The user may not read the history of any device."""
UNKNOWN: Final = 4040
"""There is no such device; of task reports, no such task."""
NOTHING_THERE: Final = (4041, 4042)
"""The device has no such resource, or there cannot be one."""
NOT_EXECUTED: Final = 4041
"""Of task reports: the task waits for its device."""
NOT_MONITORED: Final = 5031
"""Nobody switched the device's monitoring on. Its status is that of an overloaded server."""

Refusal = Forbidden | RequestRefused


def code_of(refusal: Refusal) -> int | None:
    """None where it has none: then it may be a proxy's."""
    return code_in(refusal.body)


def code_in(body: object) -> int | None:
    """The code in the decoded body of an error."""
    said = body.get("code") if isinstance(body, dict) else None
    if isinstance(said, str) and said.isdecimal() and len(said) == 4:
        return int(said)
    return said if isinstance(said, int) and not isinstance(said, bool) else None
