"""Words for how a task stands, where a platform leaves them to whoever uses it."""

from collections.abc import Mapping

from harvester.model import TaskState

_NOTHING: Mapping[str, TaskState] = {}


def state_of(
    word: object, words: Mapping[str, TaskState], own: Mapping[str, TaskState] = _NOTHING
) -> TaskState:
    """Ours for a word, in any case; an installation's `own` go before `words`, which are in lower
    case and spaced."""
    if not isinstance(word, str):
        return "unknown"
    told = _plain(word)
    named = {_plain(each): state for each, state in own.items()}
    return named.get(told) or words.get(told, "unknown")


def _plain(word: str) -> str:
    return " ".join(word.casefold().replace("_", " ").replace("-", " ").split())
