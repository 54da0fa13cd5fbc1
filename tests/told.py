"""An `Api` and an `Exchange` that say what they were told to, for adapters without a socket."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from harvester.errors import Forbidden
from harvester.logs import Failures
from harvester.platforms.base import Params

REPLIES = Path(__file__).parent / "replies"

FAILURES = Failures(structlog.stdlib.get_logger(__name__))

Told = object
"""JSON, an exception to raise, or a function of the parameters that gives one of them."""


class ToldApi:
    """Answers by path; what it was not told of is forbidden."""

    def __init__(self, answers: Mapping[str, Told]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def get(self, path: str, params: Params | None = None) -> object:
        self.asked.append((path, dict(params or {})))
        return _given(self.answers.get(path, Forbidden(path)), dict(params or {}))


class ToldExchange:
    """Gives one answer to whatever is posted; `posted` are the URLs, parameters and bearers."""

    def __init__(self, answer: Told) -> None:
        self.answer = answer
        self.url = ""
        self.form: dict[str, Any] = {}
        self.json: dict[str, Any] = {}
        self.posted: list[tuple[str, dict[str, Any], str | None]] = []

    async def post_once(
        self, url: str, *, form: Params | None = None, json: Any = None, bearer: str | None = None
    ) -> object:
        self.url, self.form, self.json = url, dict(form or {}), dict(json or {})
        self.posted.append((url, self.form or self.json, bearer))
        return _given(self.answer, self.form or self.json)


def _given(told: Told, params: dict[str, Any]) -> object:
    given = told(params) if callable(told) else told
    if isinstance(given, Exception):
        raise given
    return given


def reply(name: str) -> Any:
    """A recorded reply, as "platform/name"."""
    return json.loads((REPLIES / f"{name}.json").read_text())
