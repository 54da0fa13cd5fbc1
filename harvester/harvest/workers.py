"""Some at work on what there is to do, each on the next thing when it is done with its last."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

AT_ONCE = 8
"""Feeds of a stream in work at the same time."""

T = TypeVar("T")


async def work_off(things: Iterable[T], work: Callable[[T], Awaitable[bool]], at_once: int) -> bool:
    """Whether `work` said so of all of them. Raises the first error, which ends the others."""
    waiting = iter(things)

    async def work_on() -> bool:
        done = True
        for thing in waiting:
            done = await work(thing) and done
        return done

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work_on()) for _ in range(at_once)]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return all(task.result() for task in tasks)
