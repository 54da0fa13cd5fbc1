"""What a sensor would measure at an instant: invented, but plausible in shape and range.

An instant is epoch milliseconds throughout, UTC; a curve rolls the dice it is given for its noise.
"""

import math
from collections.abc import Callable
from random import Random

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
METER_ZERO_MS = 1_704_067_200_000  # 2024-01-01: meters began to count then

Curve = Callable[[int, Random], float | str]


def daily(
    mean: float,
    swing: float,
    noise: float,
    *,
    digits: int = 1,
    low: float = -math.inf,
    high: float = math.inf,
) -> Curve:
    """Rise and fall once a day around `mean`, highest at 15:00 UTC, kept within low and high."""

    def at(ms: int, dice: Random) -> float:
        angle = 2 * math.pi * (ms / HOUR_MS - 15) / 24
        value = mean + swing * math.cos(angle) + noise * (dice.random() + dice.random() - 1)
        return _rounded(min(max(value, low), high), digits)

    return at


def decay(full: float, empty: float, days: float, *, digits: int = 0) -> Curve:
    """Sink from `full` to `empty` within `days`, then start anew: a battery that is replaced."""

    def at(ms: int, _dice: Random) -> float:
        return _rounded(full - (full - empty) * (ms / DAY_MS % days) / days, digits)

    return at


def meter(per_day: float, *, digits: int = 3) -> Curve:
    """Count up for ever, as a water meter does."""

    def at(ms: int, _dice: Random) -> float:
        return _rounded(per_day * (ms - METER_ZERO_MS) / DAY_MS, digits)

    return at


def words(usual: str, *rare: str) -> Curve:
    """Say `usual` nine times in ten, else one of `rare`."""

    def at(_ms: int, dice: Random) -> str:
        if dice.random() < 0.9:
            return usual
        return rare[int(dice.random() * len(rare))]

    return at


def _rounded(value: float, digits: int) -> float:
    if digits == 0:
        return round(value)
    return round(value, digits) + 0.0  # adding zero turns -0.0 into 0.0
