"""How long a platform is waited for, where others wait behind it."""

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from harvester.clock import Clock, within
from harvester.errors import Unreachable

T = TypeVar("T")


async def in_time(clock: Clock, patience: timedelta, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives. Raises what it raises, and Unreachable where it takes longer."""
    try:
        return await within(clock, patience, work)
    except TimeoutError:
        raise Unreachable(f"no answer within {patience.total_seconds():g} s") from None
