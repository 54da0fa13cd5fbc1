"""Orchard, an invented platform and the example of docs/new-platform.md: users with a password,
their devices, what these measured, and jobs that they do."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

from harvester.errors import Forbidden, Malformed, PlatformError, RequestRefused, Truncated
from harvester.model import (
    Channel,
    Credentials,
    Device,
    Discovered,
    Feed,
    Meaning,
    Meanings,
    OpenTask,
    Sample,
    Stream,
    TaskReport,
    TaskState,
    Token,
    Window,
)
from harvester.platforms import base
from harvester.platforms.base import tokens

PAGE = 100
"""Rows asked for at once: the platform gives no more."""
MOST_PAGES = 10_000
"""A list that goes on after so many has no end."""
STATES: Mapping[str, TaskState] = {
    "queued": "pending",
    "running": "running",
    "done": "succeeded",
    "failed": "failed",
    "lapsed": "expired",
}
CHANNEL = ("label", "type", "unit")
Row = Mapping[str, Any]


class OrchardOptions(base.Options):
    """The client that the vendor gave to the tenant."""

    client_id: str
    client_secret: base.Secret


class Adapter(base.Platform):
    """Orchard as seen by one tenant. A device has one feed of readings, a user one of jobs."""

    Options: ClassVar[type[base.Options]] = OrchardOptions
    streams: ClassVar[tuple[Stream, ...]] = ("readings", "task_reports")
    token_reasons: ClassVar[tuple[str, ...]] = ("account_disabled",)
    meanings: ClassVar[Meanings] = {
        ("temp", "c"): Meaning("temperature", "Cel"),
        ("vol", "m3"): Meaning("volume", "m3"),
    }

    def __init__(self, options: OrchardOptions) -> None:
        self._options = options

    def token_url(self, _credentials: Credentials) -> str:
        return f"{self._options.base_url.rstrip('/')}/oauth/token"

    async def login(
        self, exchange: base.Exchange, credentials: Credentials, now: datetime
    ) -> Token:
        user, password = credentials.user or "", credentials.password or ""
        form = {"grant_type": "password", "username": user, "password": password}
        return tokens.read(await self._granted(exchange, form), now)

    async def renew(self, exchange: base.Exchange, token: Token, now: datetime) -> Token:
        form = {"grant_type": "refresh_token", "refresh_token": token.refresh_token or ""}
        return tokens.read(await self._granted(exchange, form), now, before=token)

    async def discover(self, api: base.Api, credentials: Credentials) -> AsyncIterator[Discovered]:
        yield Discovered(None, (Feed("task_reports", f"jobs of {credentials.user}"),))
        async for rows in _pages(api, "/devices"):
            for row in map(_row, rows):
                if row.get("id"):
                    yield _discovered(row)

    async def readings(
        self, api: base.Api, feed: Feed, window: Window
    ) -> AsyncIterator[Sequence[Sample]]:
        path = f"/devices/{quote(feed.key, safe='')}/readings"
        async for rows in _pages(api, path, **_span(window)):
            yield [sample for row in rows for sample in _samples(feed.key, row)]

    async def task_reports(
        self, api: base.Api, _feed: Feed, window: Window
    ) -> AsyncIterator[Sequence[TaskReport]]:
        async for rows in _pages(api, "/jobs", **_span(window)):
            yield [_report(row) for row in map(_row, rows)]

    async def task_report(self, api: base.Api, _feed: Feed, task: OpenTask) -> Sequence[TaskReport]:
        try:
            answer = await api.get(f"/jobs/{quote(task.task, safe='')}")
        except Forbidden as error:
            if error.status == 404:
                return ()
            raise
        return [_report(_object(answer, "id"))]

    async def _granted(self, exchange: base.Exchange, form: Mapping[str, str]) -> object:
        secret = self._options.client_secret.get_secret_value()
        whole = {**form, "client_id": self._options.client_id, "client_secret": secret}
        try:
            return await exchange.post_once(self.token_url(Credentials(None)), form=whole)
        except RequestRefused as refusal:
            raise _refused(refusal, form["grant_type"]) from refusal


def _refused(refusal: RequestRefused, grant: str) -> PlatformError:
    """Whose fault it is: the client's, nobody's that is known, the token's, or the user's."""
    if tokens.code_of(refusal) == "invalid_client":
        return tokens.client_refused(refusal, "client_rejected")
    if tokens.code_of(refusal) != "invalid_grant":
        return tokens.not_its_words(refusal)
    if grant == "refresh_token":
        return tokens.spent(refusal, "refresh_expired")
    is_disabled = "account disabled" in tokens.words_of(refusal)
    return tokens.refused(refusal, "account_disabled" if is_disabled else "bad_credentials")


async def _pages(api: base.Api, path: str, **asked: str) -> AsyncIterator[list[object]]:
    """The rows of each page of a list. Raises Malformed, Truncated, and the errors of `Api`."""
    params: dict[str, str | int] = {**asked, "limit": PAGE}
    for _ in range(MOST_PAGES):
        page = _object(await api.get(path, params), "rows")
        if not isinstance(page["rows"], list):
            raise Malformed(f"the rows of {path} are no list")
        yield page["rows"]
        if not (after := page.get("next")):
            return
        if after == params.get("after"):
            break
        params["after"] = after
    raise Truncated(f"{path} has no end")


def _span(window: Window) -> dict[str, str]:
    """Half-open, as ours are."""
    return {"from": window.since.isoformat(), "to": window.until.isoformat()}


def _object(said: object, member: str) -> Row:
    if not isinstance(said, dict) or member not in said:
        raise Malformed(f"an answer that should have {member!r} has none")
    return said


def _row(said: object) -> Row:
    """What is no object says nothing."""
    return said if isinstance(said, dict) else {}


def _discovered(row: Row) -> Discovered:
    identifier = str(row["id"])
    said = row["channels"] if isinstance(row.get("channels"), list) else ()
    channels = (Channel(str(it.get("name")), *map(it.get, CHANNEL)) for it in map(_row, said))
    device = Device(identifier, row.get("name"), row.get("model"), tuple(channels))
    feed = Feed("readings", identifier, (identifier,))
    return Discovered(device, (feed,) if row.get("active") else ())


def _samples(device: str, said: object) -> Iterator[Sample]:
    """One for each value. What is out of shape is one too, so that it is rejected in the open."""
    row = _row(said)
    at, name, values = _instant(row.get("at")), str(row.get("id") or ""), row.get("values")
    for channel, value in values.items() if isinstance(values, dict) else [("", said)]:
        yield Sample(device, channel, at, value, name, row.get("at"))


def _report(row: Row) -> TaskReport:
    identifier, word = str(row.get("id", "")), str(row.get("state"))
    return TaskReport(
        identity=identifier,
        task=identifier,
        kind=str(row.get("kind", "")),
        state=STATES.get(word, "unknown"),
        stated_state=word,
        device=str(row["device"]) if row.get("device") else None,
        created_at=_instant(row.get("created_at")),
        updated_at=_instant(row.get("changed_at")),
        result=row.get("result"),
    )


def _instant(stated: object) -> datetime | None:
    """RFC 3339; None where it is not, and where no zone is told."""
    try:
        at = datetime.fromisoformat(str(stated))
    except ValueError:
        return None
    return at if at.tzinfo else None
