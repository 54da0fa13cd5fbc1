"""How settings say how long."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import PlainValidator

# Digits are limited so that no sum leaves the years that a datetime knows.
_DURATION = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,9})s)?", re.ASCII)


def _duration(value: object) -> timedelta:
    found = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if not found:
        raise ValueError('takes a duration such as "90s", "5m", "24h", "7d" or "1h30m"')
    days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
    duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not duration:
        raise ValueError("takes a duration longer than nothing")
    return duration


Duration = Annotated[timedelta, PlainValidator(_duration)]
"""A setting such as "90s" or "1h30m"."""
