"""How it looks: drawn on a terminal, told in plain lines anywhere else."""

from __future__ import annotations

import asyncio
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from harvester import shown
from harvester.demo.figures import Backfill, Line, Picture

Tell = Callable[["Backfill"], None]
Show = Callable[["Picture"], None]


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
    console = shown.console()
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
                    pulled = now.wanted if now.done else now.pulled
                    progress.update(task, total=now.wanted, completed=pulled, said=pace.said(now))

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
            f"{now.wanted if now.done else now.pulled} of {now.wanted} spans, "
            f"{now.stored:,} rows, {rate:,.0f} rows/s"
        )

    def left(self, now: Backfill) -> str:
        if not now.pulled:
            return ""
        passed = timedelta(seconds=self._time() - self._began)
        return f", {shown.duration(passed * (now.wanted - now.pulled) / now.pulled)} left"

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
        f"lag {cells['lag']}, {cells['pulled']} pulled ({cells['settled']} settled, "
        f"{cells['provisional']} provisional, {cells['lost']} lost), "
        f"{cells['last hour']} readings in the last hour"
    )


def drawn(now: Picture) -> Group:
    """The tenants, and below them what came last."""
    rows = [_cells(line) for line in now.lines]
    names = [*rows[0]] if rows else []
    tenants = shown.table([[*row.values()] for row in rows], *names, right=names[1:], gap=1)
    return Group("", tenants, "", newest(now), "", Text("Ctrl-C ends it.", style="dim"))


def newest(now: Picture) -> Table:
    """The values that came last."""
    columns = now.newest[0] if now.newest else ()
    return shown.table([[*row.values()] for row in now.newest], *columns)


def _cells(line: Line) -> dict[str, str]:
    standing, wanted = line.standing, line.standing.wanted
    provisional = standing.pulled - standing.settled
    return {
        "tenant": standing.tenant,
        "accounts": str(line.accounts),
        "devices": str(standing.devices),
        "lag": shown.duration(standing.lag),
        "pulled": shown.share(standing.pulled, wanted),
        "settled": shown.share(standing.settled, wanted),
        "provisional": shown.share(provisional, wanted),
        "lost": shown.share(standing.lost, wanted),
        "last hour": f"{line.last_hour:,}",
    }
