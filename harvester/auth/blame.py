"""Whose fault a refused read is: its token's, or a permission's that is missing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from harvester.errors import Forbidden, TooLarge, Unauthorized
from harvester.model import Credentials
from harvester.platforms.base import Access


async def is_token_dead(
    adapter: Access,
    credentials: Credentials,
    refusal: Unauthorized,
    get: Callable[[str], Awaitable[object]],
) -> bool | None:
    """Whether the token of a refused read is no good: as the body tells, or else the probe.

    None: it lives, but may be of another place. `get` reads a path with the same token; raises what
    it raises, where that tells nothing of the token.
    """
    told, probe = adapter.is_about_token(refusal.body), adapter.probe(credentials)
    if told or probe is None:
        return told is not False
    try:
        with suppress(TooLarge):  # an answer all the same
            await get(probe)
    except Unauthorized as error:
        return None if adapter.is_about_token(error.body) is False else True
    except Forbidden:
        return None
    return False


def forbidden(refusal: Unauthorized) -> Forbidden:
    """What a refusal is that the token is not to blame for."""
    return Forbidden(str(refusal), 401, refusal.body)
