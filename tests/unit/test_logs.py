"""Logs can be read by machines and by people, and hold no secret."""

import json
import logging
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog
from pydantic import SecretStr
from structlog.testing import capture_logs

from harvester import logs


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    levels = {
        each: each.level for each in map(logging.getLogger, ("", "harvester", "asyncpg.pool"))
    }
    handlers = root.handlers
    yield
    root.handlers = handlers
    for logger, level in levels.items():
        logger.setLevel(level)
    structlog.reset_defaults()


def ours() -> structlog.stdlib.BoundLogger:
    log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("harvester.room")
    return log


def lines(stream: StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_journal_gets_one_json_object_a_line() -> None:
    logs.set_up(stream := StringIO())
    ours().info("tenant added", tenant="acme")
    ours().debug("not told")
    [line] = lines(stream)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {
        "event": "tenant added",
        "tenant": "acme",
        "level": "info",
        "logger": "harvester.room",
    }


def test_a_library_is_heard_from_a_warning_up() -> None:
    logs.set_up(stream := StringIO())
    logging.getLogger("apscheduler.scheduler").info("Scheduler started")
    logging.getLogger("aiohttp.client").warning("bad %s", "header")
    [line] = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == (
        "bad header",
        "aiohttp.client",
        "warning",
    )


def test_a_command_says_no_more_than_what_is_wrong() -> None:
    logs.set_up(stream := StringIO(), level=logging.WARNING)
    ours().info("tenant added")
    ours().warning("odd")
    assert [line["event"] for line in lines(stream)] == ["odd"]


def test_an_outage_is_left_to_us_to_tell() -> None:
    logs.set_up(stream := StringIO())
    logging.getLogger("asyncpg.pool").warning("Failed to restore the pool connection floor")
    assert lines(stream) == []


def test_a_terminal_gets_lines_for_people() -> None:
    logs.set_up(stream := Terminal())
    ours().info("tenant added", tenant="acme")
    assert "tenant added" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


@pytest.mark.parametrize("stream", [StringIO(), Terminal()], ids=["journal", "terminal"])
def test_no_secret_shows(stream: StringIO) -> None:
    logs.set_up(stream)
    headers = {"Authorization": "Bearer hunter2", "Accept": "json"}
    ours().warning(
        "odd",
        password="hunter2",
        refresh_token="hunter2",
        device={"id": "one", "dtlsPsk": "hunter2"},
        headers=[headers],
        held=SecretStr("hunter2"),
        user="ops",
    )
    told = stream.getvalue()
    assert "hunter2" not in told
    assert "ops" in told
    assert "json" in told


@pytest.mark.parametrize("stream", [StringIO(), Terminal()], ids=["journal", "terminal"])
def test_a_traceback_shows_no_local_variables(stream: StringIO) -> None:
    logs.set_up(stream)
    held = "".join(["hunter", "2"])
    try:
        _ = held + 1  # type: ignore[operator]
    except TypeError:
        ours().exception("failed")
    told = stream.getvalue()
    assert "TypeError" in told
    assert "hunter2" not in told


def told(failures: logs.Failures, *calls: tuple[str, ...]) -> list[tuple[object, ...]]:
    """Event, what and reason of each log. A call with a reason is a failure, else its end."""
    with capture_logs() as entries:
        for call in calls:
            failures.failing(*call) if len(call) == 2 else failures.well(*call)
    return [(entry["event"], entry["what"], entry.get("reason")) for entry in entries]


def test_a_failure_is_told_when_it_begins_and_when_it_ends() -> None:
    down, well = ("acme/readings", "unreachable"), ("acme/readings",)
    calls = [well, down, down, down, well, well, down]
    assert told(logs.Failures(ours()), *calls) == [
        ("failing", *down),
        ("well again", *well, None),
        ("failing", *down),
    ]


def test_a_new_reason_is_told_and_an_old_one_not_again() -> None:
    down, slow = ("acme", "unreachable"), ("acme", "throttled")
    assert told(logs.Failures(ours()), down, slow, down, slow) == [
        ("failing", *down),
        ("failing", *slow),
    ]


def test_failures_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST_FAILURES", 2)
    failures = logs.Failures(ours())
    told(failures, *[(f"tenant-{number}", "unreachable") for number in range(3)])
    assert told(failures, ("tenant-0",), ("tenant-1",), ("tenant-2",)) == [
        ("well again", "tenant-1", None),
        ("well again", "tenant-2", None),
    ]
    reasons = [("acme", f"reason {number}") for number in range(20)]
    assert len(told(failures, *reasons)) == logs.MOST_REASONS
