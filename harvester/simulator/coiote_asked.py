"""What is asked of the fake Coiote: paths of resources, spans, limits and search criteria."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from harvester.simulator.coiote_errors import Coded

Query = Mapping[str, str]
Json = dict[str, object]

_PATH = re.compile(r"/*([0-9]+)/([0-9]+)/([0-9]+)")
_CRITERION = re.compile(r"\s*([A-Za-z.]+) (eq|startswith|gt) ('[^']*'|true|false)\s*")


def resource(text: str) -> str:
    """The path of a resource, without the slash at its beginning. Raises Coded 4003 and 4042."""
    found = _PATH.fullmatch(text)
    if not found:
        raise Coded(4003, "LwM2M URL has to be /objectId/objectInstanceId/resourceId")
    if not 1 <= int(found[1]) <= 65534:
        raise Coded(4042, "Object id has to be in range 1..65534")
    return "/".join(str(int(part)) for part in found.groups())


def whole(query: Query, name: str, default: int, allowed: range, code: int) -> int:
    """A number, of those allowed. Raises Coded with `code`."""
    text = query.get(name) or str(default)
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) not in allowed:
        raise Coded(code, f"{name} has to be in range {allowed[0]}..{allowed[-1]}")
    return int(text)


def instant(query: Query, name: str) -> datetime | None:
    """An instant with its zone; None where it is absent. Raises Coded 4000."""
    text = query.get(name)
    if text is None:
        return None
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        said = None
    if said is None or said.tzinfo is None:
        raise Coded(4000, f"{name} has to be an ISO instant")
    return said


def criterion(query: Query, fields: Mapping[str, frozenset[str]]) -> Callable[[Json], bool]:
    """Whether an object meets the search criteria, of which there is one at most.

    `fields` names what may be searched for, each with its operators. Raises Coded 4000.
    """
    text = query.get("searchCriteria")
    if not text:
        return lambda _: True
    found = _CRITERION.fullmatch(text)
    if not found or found[2] not in fields.get(found[1], frozenset()):
        raise Coded(4000, "Invalid searchCriteria")
    field, operator, quoted = found.groups()
    wanted: object = quoted == "true" if quoted in ("true", "false") else quoted.strip("'")
    return lambda it: _OPERATORS[operator](member(it, field), wanted)


def member(it: Json, field: str) -> object:
    """What stands under a name, which may have dots; None where nothing does."""
    told: object = it
    for name in field.split("."):
        told = told.get(name) if isinstance(told, dict) else None
    return told


_OPERATORS: Mapping[str, Callable[[object, object], bool]] = {
    "eq": lambda told, wanted: told == wanted,
    "startswith": lambda told, wanted: isinstance(told, str) and told.startswith(str(wanted)),
    "gt": lambda told, wanted: isinstance(told, str) and told > str(wanted),
}
