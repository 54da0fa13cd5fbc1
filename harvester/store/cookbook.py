"""The user's cookbook: the queries of sql/queries, which come with the package."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Query:
    """Its file begins with the title, as a comment."""

    path: Path
    title: str
    text: str


def cookbook() -> dict[str, Query]:
    """The queries by name, sorted."""
    folder = Path(str(resources.files("harvester"))) / "sql" / "queries"
    return {path.stem: _read(path) for path in sorted(folder.glob("*.sql"))}


def _read(path: Path) -> Query:
    text = path.read_text("utf-8")
    return Query(path, text.partition("\n")[0].removeprefix("-- "), text)
