"""From a platform's Sample to a scalar Reading of a named channel, or a Rejection. Pure.

What a value means is not decided here: a number is kept as it was said. `meaning` proposes an
interpretation from what the platform states of a channel, which stands beside the readings.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from harvester.model import (
    Channel,
    Device,
    Discovered,
    Feed,
    Meaning,
    Meanings,
    Normalized,
    Reading,
    Rejection,
    Sample,
)
from harvester.storable import LONGEST_NAME, is_plausible, is_storable, shown, word

LONGEST_TEXT = 4096
"""Characters of a text reading."""
LONGEST_PLACE = 1_000
"""Characters of a feed's place, which is no key."""

_INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)
_NOT_A_NUMBER = re.compile(r"\s*[+-]?(?:nan|inf|infinity)\s*", re.ASCII | re.IGNORECASE)
_PARTS = frozenset(
    {"x", "y", "z", "lat", "latitude", "lon", "lng", "long", "longitude", "alt", "altitude"}
)


_Rank = tuple[str, bool, float | str]


def normalize(samples: Iterable[Sample], now: datetime) -> Normalized:
    """Sort samples into readings and rejections.

    Of two values for one series and instant the one with the greater `reading_id` holds, else the
    greater value: never the order in which they came.
    """
    result = Normalized()
    said: dict[tuple[str, str, datetime], dict[float | str, _Rank]] = {}
    for sample in _scalars(samples):
        reading = _reading(sample, now)
        if isinstance(reading, Rejection):
            result.rejections.append(reading)
            continue
        ranks = said.setdefault((reading.device, reading.channel, reading.instant), {})
        rank = (sample.reading_id, isinstance(reading.value, str), reading.value)
        result.repeated += reading.value in ranks
        ranks[reading.value] = max(rank, ranks.get(reading.value, rank))
    for key, ranks in said.items():
        *losers, winner = sorted(ranks, key=ranks.__getitem__)
        result.readings.append(Reading(*key, winner))
        result.rejections += [_rejected_reading(Reading(*key, value)) for value in losers]
    return result


def _rejected_reading(reading: Reading) -> Rejection:
    return Rejection(
        device=reading.device,
        channel=reading.channel,
        reason="same_instant",
        stated_instant=reading.instant.isoformat(),
        value=shown(reading.value),
    )


def _scalars(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Vectors and positions, split into one sample for each of their parts."""
    for sample in samples:
        value = sample.value
        if isinstance(value, Mapping) and value and _PARTS.issuperset(value):
            for part, scalar in value.items():
                yield msgspec.structs.replace(
                    sample, channel=sample.channel and f"{sample.channel}.{part}", value=scalar
                )
        else:
            yield sample


def _reading(sample: Sample, now: datetime) -> Reading | Rejection:
    value = _scalar(sample.value)
    reason = _fault(sample, now) or (value.reason if isinstance(value, _Unfit) else None)
    if reason or isinstance(value, _Unfit) or sample.instant is None:
        return _rejection(sample, reason or "no_instant")
    return Reading(sample.device, sample.channel, sample.instant, value)


def _fault(sample: Sample, now: datetime) -> str | None:
    if not sample.device or not is_storable(sample.device, LONGEST_NAME):
        return "no_device"
    if not sample.channel or not is_storable(sample.channel, LONGEST_NAME):
        return "no_channel"
    if sample.instant is None:
        return "no_instant"
    if not is_plausible(sample.instant, now):
        return "implausible_instant"
    return None


def described(found: Discovered) -> Discovered | None:
    """A finding that Postgres can hold; None where the device's own identifier cannot be kept."""
    device = found.device
    if device and (not device.identifier or not is_storable(device.identifier, LONGEST_NAME)):
        return None
    return replace(
        found,
        device=device and _described(device),
        feeds=tuple(map(_placed, (f for f in found.feeds if is_storable(f.key, LONGEST_NAME)))),
    )


def _placed(feed: Feed) -> Feed:
    """One whose place cannot be kept is in none: nothing is proven of it."""
    is_kept = feed.place is None or is_storable(feed.place, LONGEST_PLACE)
    return feed if is_kept else replace(feed, place=None)


def _described(device: Device) -> Device:
    channels = tuple(
        Channel(channel.name, word(channel.label), word(channel.type), word(channel.unit))
        for channel in device.channels
        if channel.name and is_storable(channel.name, LONGEST_NAME)
    )
    return Device(device.identifier, word(device.name), word(device.kind), channels)


@dataclass(frozen=True, slots=True)
class _Unfit:
    reason: str


def _scalar(value: object) -> float | str | _Unfit:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else _Unfit("not_a_number")
    if isinstance(value, int):
        return _whole(value)
    if isinstance(value, str):
        return _text(value)
    return _Unfit("null" if value is None else "structure")


def _whole(value: int) -> float | str | _Unfit:
    """An integer that a double cannot hold stays what it is, as text."""
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isfinite(number) and int(number) == value:
        return number
    return str(value) if abs(value) < 10**LONGEST_TEXT else _Unfit("unstorable_text")


def _text(value: str) -> float | str | _Unfit:
    if not is_storable(value, LONGEST_TEXT):
        return _Unfit("unstorable_text")
    if _INTEGER.fullmatch(value):
        whole = _whole(int(value))
        return whole if isinstance(whole, float) else value  # an identifier keeps its zeros
    if _NUMBER.fullmatch(value):
        number = float(value)
        return number if math.isfinite(number) else value
    return _Unfit("not_a_number") if _NOT_A_NUMBER.fullmatch(value) else value


def _rejection(sample: Sample, reason: str) -> Rejection:
    stated = sample.instant.isoformat() if sample.instant else shown(sample.stated_instant)
    return Rejection(
        device=shown(sample.device, LONGEST_NAME),
        channel=shown(sample.channel, LONGEST_NAME),
        reason=reason,
        stated_instant=stated,
        value=shown(sample.value),
    )


def meaning(meanings: Meanings, stated_type: str | None, stated_unit: str | None) -> Meaning | None:
    """What a channel of this stated type and unit means; None where that is not known."""
    return meanings.get(((stated_type or "").casefold(), (stated_unit or "").casefold()))
