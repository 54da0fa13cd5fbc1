"""The readings in what others than the world's things send: values at the ends of a JSON object."""

from collections.abc import Iterator

from harvester.simulator.things import Value


def of_notification(name: str, parameters: object) -> Iterator[tuple[str, Value]]:
    """By channel; none in what the platform itself says of a device."""
    if name.startswith("$") or not isinstance(parameters, dict):
        return
    code = parameters.get("equipment")
    if name == "equipment" and isinstance(code, str):
        rest = {key: value for key, value in parameters.items() if key != "equipment"}
        yield from ((f"{code}.{path}", value) for path, value in _ends("", rest))
    else:
        yield from leaves(name, parameters)


def leaves(name: str, told: object) -> Iterator[tuple[str, Value]]:
    """By channel: the name and the path, or the name alone of a single `value`."""
    found = list(_ends("", told))
    single = len(found) == 1 and found[0][0] in ("value", "Value")
    for path, value in found:
        yield (name if single else f"{name}.{path}"), value


def _ends(path: str, told: object) -> Iterator[tuple[str, Value]]:
    if isinstance(told, (str, float, int)):
        yield path, told
        return
    inner: Iterator[tuple[object, object]] = iter(())
    if isinstance(told, dict):
        inner = iter(told.items())
    elif isinstance(told, list):
        inner = iter(enumerate(told))
    for key, value in inner:
        yield from _ends(f"{path}.{key}" if path else f"{key}", value)
