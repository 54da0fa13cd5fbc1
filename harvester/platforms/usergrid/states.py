"""Words for how a task stands: the platform's own, and those in use elsewhere."""

from collections.abc import Mapping

from harvester.model import TaskState
from harvester.platforms.base import states

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
    """Ours for a word; `own` go before those that are known."""
    return states.state_of(word, _WORDS, own)
