"""Notifications: what each says was measured."""

from collections.abc import Iterator

from harvester.model import Sample
from harvester.platforms.devicehive import instants, leaves

_OWN = "$"
"""Begins the names of what the server itself notifies of: a device was added or changed."""
_EQUIPMENT = "equipment"
"""Names what devices of old notify of, and the key of the code that tells which of theirs it is."""

Leaves = Iterator[tuple[str, object]]


def samples(device: str, notification: object) -> Iterator[Sample]:
    """One for each leaf of its parameters. What is out of shape becomes one too, without a channel,
    so that it is rejected in the open and not lost."""
    said = notification if isinstance(notification, dict) else {}
    name = said.get("notification")
    if not isinstance(name, str) or not name:
        yield Sample(device, "", None, notification)
    elif not name.startswith(_OWN):
        told = _leaves(name, said.get("parameters"))
        yield from measured(device, told, said.get("timestamp"), said.get("id"))


def measured(device: str, told: Leaves, stated: object, said_id: object) -> Iterator[Sample]:
    """The leaves of one message, by their channels, at its stated instant."""
    instant = instants.read(stated)
    unread = stated if instant is None else None
    for channel, value in told:
        yield Sample(device, channel, instant, value, _reading_id(said_id), unread)


def _leaves(name: str, parameters: object) -> Leaves:
    if name == _EQUIPMENT and isinstance(parameters, dict):
        code = parameters.get(_EQUIPMENT)
        if isinstance(code, str) and code:
            others = {key: value for key, value in parameters.items() if key != _EQUIPMENT}
            return leaves.channels(code, others, lone=())
    return leaves.channels(name, parameters)


def _reading_id(said: object) -> str:
    """Ids have up to ten digits: filled up, the order of the texts is that of the numbers."""
    return f"{said:010d}" if isinstance(said, int) else ""
