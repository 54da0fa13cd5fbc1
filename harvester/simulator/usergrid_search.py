"""A search in the index of the fake Usergrid: which documents a query hits, and in which order."""

from collections.abc import Iterator
from random import Random

from harvester.simulator.usergrid_entities import Place
from harvester.simulator.usergrid_index import AXES, Doc
from harvester.simulator.usergrid_ql import Comparison, Fields, Joined, Query, Scalar
from harvester.simulator.usergrid_store import Store

LARGEST_LONG = 2**63
_KINDS: dict[str, tuple[type, ...]] = {
    "created": (int,),
    "modified": (int,),
    "uuid": (str,),
    "name": (str,),
    "type": (str,),
}
"""What is known of the standard properties; any other is sorted by all kinds one after another."""
_ANY_KIND: tuple[type, ...] = (float, int, str, bool)


def hits(store: Store, place: Place, query: Query, now: int, ties: Random | None) -> list[Doc]:
    """All that is hit at `now`, stale or not. `ties` decide between equals; None: who came first.

    Without an order the newest edge is first, as in the graph.
    """
    docs = _candidates(store, place, query, now)
    if not query.order:
        known = {doc.entity.uuid: doc for doc in docs}
        edges = store.edges(place)
        return [known[edge.target.uuid] for edge in edges if edge.target.uuid in known]
    if ties:
        ties.shuffle(docs)
    for name, is_down in reversed(query.order):
        docs = _sorted(docs, name, is_down)
    return docs


def fields_of(doc: Doc) -> Fields:
    """What the index holds of an entity's version."""
    entity, version = doc.entity, doc.version
    own: Fields = {"created": [entity.created], "modified": [version.modified]}
    fields: Fields = own | {"uuid": [entity.uuid], "type": [entity.type]}
    for name, value in _leaves("", version.properties):
        if name not in own:
            fields.setdefault(name, []).append(value)
    return fields


def _candidates(store: Store, place: Place, query: Query, now: int) -> list[Doc]:
    index = store.index
    bounds = {axis: found for axis in AXES if (found := query.bounds(axis))}
    if not bounds:
        docs = sorted(index.known(place, now), key=lambda doc: doc.number)
        return [doc for doc in docs if _holds(query, doc)]
    axis, (first, last) = next(iter(bounds.items()))
    docs = index.between(place, axis, first, last, now) if first <= last else []
    return docs if _is_of(query, axis) else [doc for doc in docs if _holds(query, doc)]


def _holds(query: Query, doc: Doc) -> bool:
    return query.where is None or query.where.holds(fields_of(doc))


def _is_of(query: Query, axis: str) -> bool:
    """Whether it asks for nothing but bounds of that axis, so that all between them hold."""
    parts = query.where.parts if isinstance(query.where, Joined) else (query.where,)
    return all(
        isinstance(part, Comparison) and part.name == axis and type(part.literal) is int
        for part in parts
    )


def _sorted(docs: list[Doc], name: str, is_down: bool) -> list[Doc]:
    """By one property; what has none of a kind comes last, up or down."""
    fields = {doc: fields_of(doc).get(name, []) for doc in docs}
    for kind in reversed(_KINDS.get(name, _ANY_KIND)):
        keys = {doc: _key(told, kind, is_down) for doc, told in fields.items()}
        there = [doc for doc in docs if keys[doc] is not None]
        there.sort(key=keys.__getitem__, reverse=is_down)  # type: ignore[arg-type]  # of one kind
        docs = there + [doc for doc in docs if keys[doc] is None]
    return docs


def _key(told: list[Scalar], kind: type, is_down: bool) -> Scalar | None:
    """Of several values, that which leads."""
    some = [each.lower() if isinstance(each, str) else each for each in told if type(each) is kind]
    if not some:
        return None
    return max(some) if is_down else min(some)


def _leaves(name: str, value: object) -> Iterator[tuple[str, Scalar]]:
    """The scalars of a value with their names; those of a list have that of the list."""
    if isinstance(value, dict):
        for part, inner in value.items():
            yield from _leaves(f"{name}.{part}".lstrip(".").lower(), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(name, inner)
    elif isinstance(value, int) and not -LARGEST_LONG <= value < LARGEST_LONG:
        return
    elif isinstance(value, bool | int | float | str):
        yield name, value
