"""From what a platform says of a task to a report that Postgres can hold, or a Rejection. Pure.

What a report says is kept as it was said: nothing in `result` and `details` is understood here.
"""

import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from harvester.model import BEGINNING, FINAL, Rejection, TaskReport
from harvester.storable import LONGEST_NAME, is_plausible, is_storable, shown, storable, word

LONGEST_IDENTITY = 500
"""Characters of a report's identity: a key, so that Postgres takes less than 2.7 KB."""
LARGEST = 64 * 1024
"""Bytes of a result or of details, as JSON in UTF-8."""
DEEPEST = 64
"""Arrays and objects in one another."""
BEYOND = 10**4096
"""Integers from here on are not written out: Python does not go much further."""


def normalize(
    reports: Iterable[TaskReport], now: datetime
) -> tuple[list[TaskReport], list[Rejection]]:
    """Reports that can be stored, one for each identity, and those that cannot be named.

    Of two with one identity the newer one holds, as they say themselves: never the order in which
    they came.
    """
    held: dict[str, TaskReport] = {}
    rejections = []
    for report in reports:
        if reason := _fault(report):
            rejections.append(_rejection(report, reason))
            continue
        kept = _kept(report, now)
        held[kept.identity] = max(kept, held.get(kept.identity, kept), key=_rank)
    return list(held.values()), rejections


def _fault(report: TaskReport) -> str | None:
    if not report.identity or not is_storable(report.identity, LONGEST_IDENTITY):
        return "no_identity"
    if not report.task or not is_storable(report.task, LONGEST_NAME):
        return "no_task"
    if not is_storable(report.kind, LONGEST_NAME):
        return "no_kind"
    if report.device is not None and not (
        report.device and is_storable(report.device, LONGEST_NAME)
    ):
        return "no_device"
    return None


def _rejection(report: TaskReport, reason: str) -> Rejection:
    return Rejection(
        device=shown(report.device or "", LONGEST_NAME),
        channel=shown(report.kind, LONGEST_NAME),
        reason=reason,
        stated_instant=report.created_at.isoformat() if report.created_at else "",
        value=shown(report.identity),
    )


def _kept(report: TaskReport, now: datetime) -> TaskReport:
    def plausible(instant: datetime | None) -> datetime | None:
        return instant if instant and is_plausible(instant, now) else None

    return msgspec.structs.replace(
        report,
        stated_state=word(report.stated_state),
        created_at=plausible(report.created_at),
        started_at=plausible(report.started_at),
        finished_at=plausible(report.finished_at),
        updated_at=plausible(report.updated_at),
        result=_json(report.result),
        details=_json(report.details),
    )


def _rank(report: TaskReport) -> tuple[datetime, datetime, bool, str]:
    """The last is of no meaning, but the same in whichever order they came."""
    return (
        report.updated_at or BEGINNING,
        report.finished_at or BEGINNING,
        report.state in FINAL,
        repr(report),
    )


class _TooDeep(Exception):
    pass


def _json(said: object) -> object:
    """What `jsonb` takes; of what is too large or too deep the beginning, and that it is no more.

    Numbers that JSON has not are texts, as are integers without end.
    """
    try:
        made = _within(said, DEEPEST)
    except _TooDeep:
        return f"{shown(said)} … (nested too deep to be kept)"
    size = len(json.dumps(made, ensure_ascii=False).encode())
    if size > LARGEST:
        return f"{shown(made)} … (the beginning of {size} bytes)"
    return made


def _within(said: object, room: int) -> object:
    match said:
        case Mapping() | list() | tuple() if not room:
            raise _TooDeep
        case Mapping():
            # Sorted, as two names that cannot be stored may become one.
            return {
                storable(str(name)): _within(said[name], room - 1) for name in sorted(said, key=str)
            }
        case list() | tuple():
            return [_within(each, room - 1) for each in said]
        case str():
            return storable(said)
    return _scalar(said)


def _scalar(said: object) -> object:
    if isinstance(said, float):
        return said if math.isfinite(said) else shown(said)
    if isinstance(said, int):  # a boolean is one
        return said if abs(said) < BEYOND else shown(said)
    return None if said is None else shown(said)
