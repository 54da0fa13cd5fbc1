"""A login's token may do all that its user may. What is kept is one that can only read."""

from datetime import datetime

from harvester.errors import RequestRefused
from harvester.logs import Failures
from harvester.model import Token
from harvester.platforms.base import Exchange
from harvester.platforms.devicehive import claims, tokens
from harvester.platforms.devicehive.claims import MANAGE_TOKEN, Rights
from harvester.platforms.devicehive.options import DeviceHiveOptions


class Narrowing:
    """The narrowing of one tenant's tokens. Where it cannot be, that is told once."""

    def __init__(self, options: DeviceHiveOptions, failures: Failures) -> None:
        self._options = options
        self._failures = failures

    async def narrowed(
        self, exchange: Exchange, token: Token, user: str | None, now: datetime
    ) -> Token:
        """A token for what reading takes, no wider and no longer than `token`.

        `token` itself where it is narrow already, or where the platform does not allow or know of
        another one. Raises TransientError, Malformed.
        """
        rights = claims.rights(token.access_token)
        if rights and rights.only_reads:
            return token
        what = f"{user} narrowing the token to reading"
        if rights is None or not (rights.reads and rights.holds(MANAGE_TOKEN)):
            self._failures.failing(what, "not_allowed" if rights else "unreadable")
            return token
        try:
            created = await self._created(exchange, token, rights, now)
        except RequestRefused as refusal:
            self._failures.failing(what, "refused", status=refusal.status)
            return token
        self._failures.well(what)
        return created

    async def _created(
        self, exchange: Exchange, token: Token, rights: Rights, now: datetime
    ) -> Token:
        asked = _asked(rights, token.refresh_expires_at)
        answer = await exchange.post_once(
            self._options.create_url, json=asked, bearer=token.access_token
        )
        return tokens.read(answer, now)


def _asked(rights: Rights, end: datetime | None) -> dict[str, object]:
    # Never an empty list of actions: it stands for all that a client may.
    asked: dict[str, object] = {
        "userId": rights.u,
        "actions": rights.reads,
        "networkIds": rights.n,
        "deviceTypeIds": rights.dt,
    }
    if end:
        utc = end.replace(tzinfo=None)  # the platform's instants have no zone
        asked["refreshExpiration"] = utc.isoformat(timespec="milliseconds")
    return asked
