"""What fails any test: a blocked event loop, an error that only the loop was told of, a hang."""

import asyncio
import gc
import signal
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

LoopErrors = list[dict[str, Any]]
RING_AGAIN = 5  # seconds


@pytest.fixture(scope="session", autouse=True)
def no_blocked_loop() -> Iterator[None]:
    """Only calls that harvester has a part in: pytest itself and tests may read files."""
    with blockbuster_ctx("harvester"):
        yield


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """Shells start what runs in the background deaf to it, and programs pass that on to theirs."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
async def loop_errors() -> AsyncIterator[LoopErrors]:
    """What the loop was told of since the last test. A test that means one takes it out of here."""
    errors: LoopErrors = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    gc.collect()
    gc.freeze()  # what is imported by now stays: else each collection below takes 40 ms, not 2
    yield errors
    await fail_on(errors)


@pytest.fixture(autouse=True)
async def no_unhandled_error(loop_errors: LoopErrors) -> AsyncIterator[None]:
    yield
    await fail_on(loop_errors)


@pytest.fixture(autouse=True)
def no_endless_hang() -> None:
    """pytest-timeout rings once, and a callback or a server's task may swallow what that raises."""
    left, _ = signal.getitimer(signal.ITIMER_REAL)
    signal.setitimer(signal.ITIMER_REAL, left, RING_AGAIN)


async def fail_on(errors: LoopErrors) -> None:
    await asyncio.sleep(0)  # whoever was cancelled last gets its turn
    gc.collect()  # an error in a task is told when the task is forgotten
    gc.freeze()  # what outlives its test (caches do) would make each later collection slower
    if errors:
        told = "\n".join(map(describe, errors))
        errors.clear()
        pytest.fail(f"the event loop was told of an error that nobody handled:\n{told}", False)


def describe(context: dict[str, Any]) -> str:
    error = context.get("exception")
    trace = "".join(traceback.format_exception(error)) if error else ""
    return f"{context['message']}\n{trace}"
