"""How it looks: drawn on a terminal, told in plain lines anywhere else."""

from __future__ import annotations

import asyncio
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from harvester.demo.figures import Backfill, Line, Picture

Tell = Callable[["Backfill"], None]
Show = Callable[["Picture"], None]

_COLUMNS = (
    "tenant", "accounts", "devices", "lag", "covered", "settled", "provisional", "last hour",
)  # fmt: skip


class Display(ABC):
    """`every` is how many seconds lie between two pictures."""

    every: float

    @abstractmethod
    def backfill(self) -> AbstractContextManager[Tell]:
        """What shows the progress of the first harvest."""

    @abstractmethod
    def live(self) -> AbstractContextManager[Show]:
        """What shows how things stand."""


def display() -> Display:
    """What suits standard output."""
    console = Console()
    drawn = sys.stdout.isatty() and console.is_terminal and not console.is_dumb_terminal
    return Drawn(console) if drawn else Told()


class Drawn(Display):
    """On a terminal."""

    every = 1.0

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def backfill(self) -> Iterator[Tell]:
        columns = (
            TextColumn("Backfill"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[said]}"),
            TimeRemainingColumn(),
        )
        pace = Pace()
        with Progress(*columns, console=self._console, expand=True) as progress:
            task = progress.add_task("", total=None, said="finding devices")

            def tell(now: Backfill) -> None:
                if now.wanted:
                    covered = now.wanted if now.done else now.covered
                    progress.update(task, total=now.wanted, completed=covered, said=pace.said(now))

            yield tell

    @contextmanager
    def live(self) -> Iterator[Show]:
        with Live(console=self._console, auto_refresh=False) as live:
            yield lambda now: live.update(drawn(now), refresh=True)


class Told(Display):
    """In lines, without a control character among them."""

    every = 5.0

    @contextmanager
    def backfill(self) -> Iterator[Tell]:
        pace = Pace()

        def tell(now: Backfill) -> None:
            if pace.is_due(now):
                left = "" if now.done else pace.left(now)
                typer.echo(
                    f"Backfill: {pace.said(now) if now.wanted else 'finding devices'}{left}."
                )

        yield tell

    @contextmanager
    def live(self) -> Iterator[Show]:
        yield lambda now: typer.echo("\n".join(told(line) for line in now.lines))


class Pace:
    """How fast it goes, and when it is time for another line."""

    def __init__(self) -> None:
        self._began = self._time()
        self._told: float | None = None

    def said(self, now: Backfill) -> str:
        rate = now.stored / max(self._time() - self._began, 0.1)
        return (
            f"{now.wanted if now.done else now.covered} of {now.wanted} spans, "
            f"{now.stored:,} rows, {rate:,.0f} rows/s"
        )

    def left(self, now: Backfill) -> str:
        if not now.covered:
            return ""
        passed = self._time() - self._began
        return f", {passed * (now.wanted - now.covered) / now.covered:.0f} s left"

    def is_due(self, now: Backfill) -> bool:
        due = now.done or self._told is None or self._time() - self._told >= Told.every / 2
        if due:
            self._told = self._time()
        return due

    def _time(self) -> float:
        return asyncio.get_running_loop().time()


def told(line: Line) -> str:
    """A tenant in a sentence."""
    cells = _cells(line)
    return (
        f"{cells['tenant']}: {cells['accounts']} accounts, {cells['devices']} devices, "
        f"lag {cells['lag']}, {cells['covered']} covered ({cells['settled']} settled, "
        f"{cells['provisional']} provisional), {cells['last hour']} readings in the last hour"
    )


def drawn(now: Picture) -> Group:
    """The tenants, and below them what came last."""
    tenants = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in _COLUMNS:
        tenants.add_column(name, justify="left" if name == "tenant" else "right", no_wrap=True)
    for line in now.lines:
        tenants.add_row(*_cells(line).values())
    return Group("", tenants, "", table(now.newest), "", Text("Ctrl-C ends it.", style="dim"))


def table(rows: Sequence[Mapping[str, str | None]]) -> Table:
    """Rows by their columns, in one line each."""
    made = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in rows[0] if rows else ():
        made.add_column(name, no_wrap=True)
    for row in rows:
        made.add_row(*(Text(value or "") for value in row.values()))
    return made


def _cells(line: Line) -> dict[str, str]:
    lag = "unknown" if line.lag is None else f"{line.lag.total_seconds():.0f} s"
    shares = [f"{share:.1%}" for share in (line.covered, line.settled, line.provisional)]
    counts = [str(line.accounts), str(line.devices)]
    values = [line.tenant, *counts, lag, *shares, f"{line.last_hour:,}"]
    return dict(zip(_COLUMNS, values, strict=True))
