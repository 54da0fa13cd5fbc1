"""Words for how a task stands: the platform's own, and those in use elsewhere."""

from collections.abc import Mapping

from harvester.model import TaskState

_NOTHING: Mapping[str, TaskState] = {}

_WORDS: Mapping[str, TaskState] = {
    **dict.fromkeys(("created", "scheduled"), "pending"),
    **dict.fromkeys(("pending", "queued", "waiting"), "pending"),
    **dict.fromkeys(("started", "running", "processing", "in progress"), "running"),
    **dict.fromkeys(("finished", "ok", "success", "succeeded"), "succeeded"),
    **dict.fromkeys(("done", "complete", "completed", "sent"), "succeeded"),
    **dict.fromkeys(("failed", "canceled", "cancelled", "error", "failure"), "failed"),
    **dict.fromkeys(("expired", "timeout", "timed out"), "expired"),
}


def state_of(word: object, own: Mapping[str, TaskState] = _NOTHING) -> TaskState:
    """Ours for a word, in any case; `own` go before those that are known."""
    if not isinstance(word, str):
        return "unknown"
    told = _plain(word)
    named = {_plain(each): state for each, state in own.items()}
    return named.get(told) or _WORDS.get(told, "unknown")


def _plain(word: str) -> str:
    return " ".join(word.casefold().replace("_", " ").replace("-", " ").split())
