"""Chance that can be repeated: the same words always give the same dice and the same ids."""

import random
import uuid


def dice(*words: object) -> random.Random:
    """Return dice that depend on `words` alone: not on the process, nor on who rolled before."""
    return random.Random("/".join(map(str, words)))  # noqa: S311 - a toy world, no secrets


def identity(*words: object) -> str:
    """Return the UUID, lower case, that belongs to `words`."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, words))))
