"""What is looked after beside the jobs, again and again, while the daemon runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager

import structlog

from harvester.errors import HarvesterError, UserError
from harvester.logs import Failures

FAREWELL = 5.0
"""Seconds that they get to end: a statement that a frozen database has takes minutes."""

Round = Coroutine[None, None, None]

_log = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def kept(*rounds: Round, stop: asyncio.Event) -> AsyncIterator[None]:
    """Let them go on beside us. One that fails stops the daemon, and what it raised is raised."""

    def look(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception():
            stop.set()

    tasks = [asyncio.create_task(each) for each in rounds]
    for task in tasks:
        task.add_done_callback(look)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended, _ = await asyncio.wait(tasks, timeout=FAREWELL)
        for task in ended:
            if not task.cancelled() and (error := task.exception()):
                raise error


async def every(seconds: float, what: str, look: Callable[[], Awaitable[object]]) -> None:
    """Look now and then. A look that fails is told, and the next one comes all the same.

    Raises UserError: what only the operator can mend.
    """
    failures = Failures(_log)
    while True:
        try:
            await look()
        except UserError:
            raise
        except HarvesterError as error:  # foreseen: told in a sentence
            failures.failing(what, type(error).__name__, error=str(error))
        except Exception as error:
            failures.failing(what, type(error).__name__, exc_info=error)
        else:
            failures.well(what)
        await asyncio.sleep(seconds)
