"""What another reading of the configuration changes: names and keys, never a value."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from harvester.config.settings import Settings, Tenant


@dataclass(frozen=True, slots=True)
class Difference:
    """Between the tenants at work and those wanted; `changed` has the keys of each, dotted."""

    added: tuple[Tenant, ...]
    changed: tuple[tuple[Tenant, tuple[str, ...]], ...]
    removed: tuple[str, ...]


def difference(held: Iterable[Tenant], wanted: Iterable[Tenant]) -> Difference:
    """Compares values, secrets too: a password file with another content is a change."""
    before, after = ({each.name: each for each in tenants} for tenants in (held, wanted))
    return Difference(
        added=tuple(each for name, each in after.items() if name not in before),
        changed=tuple(
            (each, keys)
            for name, each in after.items()
            if name in before and (keys := tuple(_changed(before[name], each)))
        ),
        removed=tuple(name for name in before if name not in after),
    )


def needing_restart(held: Settings, wanted: Settings) -> list[str]:
    """The keys outside of the tenants that differ; only a restart changes those."""
    return [key for key in _changed(held, wanted) if not key.startswith("tenant.")]


def _changed(before: object, after: object) -> Iterator[str]:
    """The dotted keys under which two tables differ; tables in a list go by their names."""
    ours, theirs = _values(before), _values(after)
    for key in ours | theirs:
        one, other = ours.get(key), theirs.get(key)
        if one == other:
            continue
        if _values(one) and _values(other):
            yield from (f"{key}.{inner}" for inner in _changed(one, other))
        else:
            yield key


def _values(table: object) -> dict[str, object]:
    """A table's values by the keys of the file; nothing where it is no table."""
    if isinstance(table, BaseModel):
        fields = type(table).model_fields
        return {each.alias or name: getattr(table, name) for name, each in fields.items()}
    if isinstance(table, tuple):
        named = [(_name(each), each) for each in table]
        return {name: each for name, each in named if name is not None}
    return {}


def _name(table: object) -> str | None:
    return getattr(table, "name", None) or getattr(table, "user", None)
