"""Spans of time between Postgres and us: a multirange is a sorted tuple of windows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from asyncpg import Range

from harvester.model import BEGINNING, FOREVER, Spans, Window


def from_multirange(ranges: Iterable[Range[datetime]]) -> Spans:
    """Unbounded ends become BEGINNING and FOREVER; our ranges are all `[since, until)`."""
    return tuple(Window(span.lower or BEGINNING, span.upper or FOREVER) for span in ranges)
