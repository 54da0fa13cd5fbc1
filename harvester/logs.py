"""What the daemon says, to stderr: JSON lines for a journal, readable lines on a terminal."""

import logging
import re
import sys
from collections import OrderedDict
from typing import TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

_SECRET_KEY = re.compile(r"token|password|secret|authorization|psk", re.IGNORECASE)
MOST_FAILURES = 10_000
"""Failures remembered at once; beyond them the oldest is forgotten and may be told again."""
MOST_REASONS = 10
"""Reasons told of one failure, until it ends."""
_FACTS: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
"""What each line has beside its own words."""


def set_up(stream: TextIO = sys.stderr, *, level: int = logging.INFO) -> None:
    """Send our own logs from `level` up, and those of libraries from WARNING up, to `stream`."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_FACTS,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    root = logging.getLogger()
    root.handlers = [_to(stream)]
    root.setLevel(logging.WARNING)
    logging.getLogger("harvester").setLevel(level)
    # Tells of a database that is away each time it tries again, with a traceback; we tell it once.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)


def _to(stream: TextIO) -> logging.Handler:
    """Our own logs and the libraries' come out alike."""
    rendered = [redact, *_rendered(stream.isatty())]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_FACTS,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    return handler


def _rendered(terminal: bool) -> list[Processor]:
    if terminal:
        # structlog's own choice, rich, prints local variables in a traceback: passwords, tokens.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide what is named like a secret: a second net, as a SecretStr hides itself."""
    return {key: _hidden(key, value) for key, value in event.items()}


def _hidden(key: object, value: object) -> object:
    if isinstance(key, str) and _SECRET_KEY.search(key):
        return "[hidden]"
    if isinstance(value, dict):
        return {inner: _hidden(inner, each) for inner, each in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(None, each) for each in value]
    return value


class Failures:
    """Says when a failure begins, when its reason is a new one, and when it ends; not each time."""

    def __init__(self, log: structlog.stdlib.BoundLogger) -> None:
        self._log = log
        self._reasons: OrderedDict[str, set[str]] = OrderedDict()

    def failing(self, what: str, reason: str, **facts: object) -> None:
        """`what` fails. `reason` is a short, stable word; `facts` are logged beside it."""
        told = self._reasons.setdefault(what, set())
        if reason in told or len(told) >= MOST_REASONS:
            return
        told.add(reason)
        if len(self._reasons) > MOST_FAILURES:
            self._reasons.popitem(last=False)
        self._log.warning("failing", what=what, reason=reason, **facts)

    def well(self, what: str) -> None:
        """`what` works."""
        if self._reasons.pop(what, None) is not None:
            self._log.info("well again", what=what)
