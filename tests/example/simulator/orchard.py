"""A fake Orchard: an invented platform, of which this is all that there is to know.

Users log in with the password grant of RFC 6749; a refresh token serves once, and one that is used
again ends the session. Lists are in pages `{"rows": […], "next": …}`: what `next` says goes into
the next request as `after`. Spans are half-open, `from` and `to` in RFC 3339.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, groupby
from operator import itemgetter

from aiohttp import web

from harvester.simulator.chance import dice, identity
from harvester.simulator.curves import HOUR_MS
from harvester.simulator.fakes import Secret, Standing, TaskTruth
from harvester.simulator.faults import Answer, Faults, Refusal
from harvester.simulator.serving import counting, dating, listening
from harvester.simulator.tenants import Tenant, Thing, User
from harvester.simulator.world import EPOCH, World, instant, millis

Json = dict[str, object]

EVERY_MS = 4 * HOUR_MS
RESULTS = {"done": {"offset": -0.25}, "failed": {"error": "no reference"}}
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Switches:
    """What may differ from installation to installation. Lives are in seconds."""

    access_ttl: int = 3600
    refresh_ttl: int = 30 * 86_400
    rotate: bool = True  # a refresh token serves once; used again, it ends the session
    clock_skew: timedelta = timedelta(0)  # how far the platform's clock is ahead of the world's
    page: int = 100  # rows at most in an answer, whatever was asked


AS_DOCUMENTED = Switches()

QUIRKS: Mapping[str, Switches] = {
    "as documented": AS_DOCUMENTED,
    "short lives": Switches(access_ttl=60, refresh_ttl=180),
    "refresh tokens that stay": Switches(rotate=False),
    "small pages": Switches(page=7),
}
ASPECTS = {"access": "access_ttl refresh_ttl rotate", "readings": "page", "tasks": "page"}


@dataclass(eq=False, slots=True)
class Session:
    """One login. `refresh_token` is its newest."""

    tenant: Tenant
    user: User
    refresh_token: str = ""
    refresh_ends: datetime = EPOCH
    access: dict[str, datetime] = field(default_factory=dict)
    is_live: bool = True

    def renews(self, token: str, now: datetime) -> bool:
        return self.is_live and self.refresh_token == token and self.refresh_ends > now


class FakeOrchard:
    """The fake and its records: `requests` by "METHOD /route", `token_calls` by grant."""

    def __init__(self, world: World, switches: Switches) -> None:
        self.world = world
        self.switches = switches
        self.url = ""
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        self.token_calls: Counter[str] = Counter()
        self.violations: list[str] = []
        self._sessions: list[Session] = []
        self._spent: dict[str, Session] = {}
        self._renewing: set[str] = set()
        self._disabled: set[str] = set()
        self._rejected: set[tuple[str, str]] = set()
        self._numbers = count()

    def disable(self, user: str) -> None:
        self._disabled.add(user)

    def enable(self, user: str) -> None:
        self._disabled.discard(user)

    def truth(self, tenant: str) -> dict[tuple[str, str, datetime], float | str]:
        return self.world.truth(tenant)

    def task_truth(self, tenant: str) -> dict[str, TaskTruth]:
        return dict(job for thing in self.world.things(tenant) for job in self._jobs_of(thing))

    def now(self) -> datetime:
        return self.world.clock.now() + self.switches.clock_skew

    def app(self) -> web.Application:
        app = web.Application(middlewares=[counting(self.requests), self._word, self._befall])
        app.add_routes(
            [
                web.post("/oauth/token", self._token),
                web.get("/devices", self._devices),
                web.get("/devices/{device}/readings", self._readings),
                web.get("/jobs", self._jobs),
                web.get("/jobs/{job}", self._job),
            ]
        )
        dating(app, self.now)
        return app

    @web.middleware
    async def _word(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        """Put a refusal into the platform's own words."""
        try:
            return await handler(request)
        except Refusal as refusal:
            error, _, description = refusal.message.partition(": ")
            body = {"error": error, "error_description": description}
            return web.json_response(body, status=refusal.status, headers=refusal.headers)

    @web.middleware
    async def _befall(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        if request.path != "/oauth/token":
            return await self.faults.answer(request, handler)
        form = await request.post()
        self.token_calls[str(form.get("grant_type"))] += 1
        # Around the faults, so that a renewal that is held back is still seen as under way.
        token = str(form.get("refresh_token", ""))
        if token in self._renewing:
            self.violations.append("a refresh token is sent twice at once")
        self._renewing |= {token} - {""}
        try:
            return await self.faults.answer(request, handler)
        finally:
            self._renewing.discard(token)

    async def _token(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        tenant = self._tenant(form)
        if form.get("grant_type") == "refresh_token":
            return self._issued(self._renewed(form.get("refresh_token", "")))
        session = Session(tenant, self._user(tenant, form))
        self._sessions.append(session)
        return self._issued(session)

    def _tenant(self, form: Mapping[str, str]) -> Tenant:
        for tenant in self.world.tenants.values():
            client = tenant.user_client
            if (client.id, client.secret) == (form.get("client_id"), form.get("client_secret")):
                return tenant
        raise Refusal(401, "invalid_client")

    def _user(self, tenant: Tenant, form: Mapping[str, str]) -> User:
        name, password = form.get("username", ""), form.get("password", "")
        if name in self._disabled:
            raise Refusal(400, "invalid_grant: account disabled")
        for user in tenant.users:
            if (user.name, user.password) == (name, password):
                return user
        if (name, password) in self._rejected:
            self.violations.append(f"rejected password tried again for {name}")
        self._rejected.add((name, password))
        raise Refusal(400, "invalid_grant: unknown user or wrong password")

    def _renewed(self, token: str) -> Session:
        if token and (session := self._spent.get(token)):
            self.violations.append(f"spent refresh token sent for {session.user.name}")
            session.is_live = False
        for session in self._sessions:
            if session.renews(token, self.now()) and session.user.name not in self._disabled:
                return session
        raise Refusal(400, "invalid_grant: the refresh token is of no use")

    def _issued(self, session: Session) -> web.Response:
        access = identity(self.world.seed, "access", next(self._numbers))
        session.access[access] = self.now() + timedelta(seconds=self.switches.access_ttl)
        if self.switches.rotate or not session.refresh_token:
            self._spent[session.refresh_token] = session
            session.refresh_token = identity(self.world.seed, "refresh", next(self._numbers))
        session.refresh_ends = self.now() + timedelta(seconds=self.switches.refresh_ttl)
        body = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.switches.access_ttl,
            "refresh_token": session.refresh_token,
            "refresh_expires_in": self.switches.refresh_ttl,
        }
        return web.json_response(body)

    def _seen(self, request: web.Request) -> list[Thing]:
        """By the user whose token it is."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        for session in self._sessions:
            if session.is_live and session.access.get(token, EPOCH) > self.now():
                user, things = session.user.name, session.tenant.things
                return [thing for thing in things if user in thing.seen_by]
        raise Refusal(401, "invalid_token")

    async def _devices(self, request: web.Request) -> web.Response:
        return self._page(request, [(each.uuid, _device(each)) for each in self._seen(request)])

    async def _readings(self, request: web.Request) -> web.Response:
        seen = {each.uuid: each for each in self._seen(request)}
        if (thing := seen.get(request.match_info["device"])) is None:
            raise Refusal(404, "not_found")
        since, until = (-((EPOCH - each) // MILLISECOND) for each in _span(request))
        rows = self.world.readings(thing, since, until - 1, millis(self.now()))
        keyed: list[tuple[str, Json]] = []
        for ms, group in groupby(rows, key=lambda row: row.ms):
            for n, row in enumerate(group):
                told = {"id": row.correlation_id, "at": _told(instant(ms))}
                keyed.append((f"{ms:015}.{n:03}", {**told, "values": dict(row.values)}))
        return self._page(request, keyed)

    async def _jobs(self, request: web.Request) -> web.Response:
        since, until = _span(request)
        jobs = [job for thing in self._seen(request) for job in self._jobs_of(thing)]
        changed = [(name, _job(name, job)) for name, job in jobs if since <= job.now.at < until]
        return self._page(request, changed)

    async def _job(self, request: web.Request) -> web.Response:
        jobs = dict(job for thing in self._seen(request) for job in self._jobs_of(thing))
        if (job := jobs.get(name := request.match_info["job"])) is None:
            raise Refusal(404, "not_found")
        return web.json_response(_job(name, job))

    def _page(self, request: web.Request, keyed: Sequence[tuple[str, Json]]) -> web.Response:
        """Those rows that come after the key that was asked for, and where the rest begins."""
        after, limit = request.query.get("after", ""), int(request.query.get("limit", "100"))
        rows = sorted((each for each in keyed if each[0] > after), key=itemgetter(0))
        shown = rows[: min(limit, self.switches.page)]
        goes_on = shown[-1][0] if len(shown) < len(rows) else None
        return web.json_response({"rows": [row for _, row in shown], "next": goes_on})

    def _jobs_of(self, thing: Thing) -> Iterator[tuple[str, TaskTruth]]:
        """One each four hours, of a device that is at work, as far as it is known by now."""
        first, now = millis(self.world.since) // EVERY_MS + 1, millis(self.now())
        for number in range(first, now // EVERY_MS + 1 if thing.active else first):
            chance = dice(self.world.seed, "job", thing.uuid, number)
            begin, state = number * EVERY_MS, chance.choice(("done", "failed", "lapsed"))
            end = begin + int(chance.uniform(0.3, 1.5) * EVERY_MS)
            plan = ((begin, "queued"), (begin + EVERY_MS // 4, "running"), (end, state))
            known = ((instant(ms), word, RESULTS.get(word)) for ms, word in plan if ms <= now)
            history = tuple(Standing(*each) for each in known)
            yield identity(thing.uuid, "job", number), TaskTruth("calibration", thing.uuid, history)


def _device(thing: Thing) -> Json:
    channels = [
        {"name": each.channel, "label": each.name, "type": each.type, "unit": each.unit}
        for each in thing.model.sensors
        if each.listed
    ]
    told = {"id": thing.uuid, "name": thing.name, "model": thing.model.name}
    return {**told, "active": thing.active, "channels": channels}


def _job(name: str, job: TaskTruth) -> Json:
    told = {"id": name, "kind": job.kind, "device": job.device}
    stands = {"state": job.now.state, "result": job.now.result, "changed_at": _told(job.now.at)}
    return {**told, **stands, "created_at": _told(job.history[0].at)}


def _told(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _span(request: web.Request) -> tuple[datetime, datetime]:
    if not {"from", "to"} <= request.query.keys():
        raise Refusal(400, "invalid_span")
    asked = request.query
    return datetime.fromisoformat(asked["from"]), datetime.fromisoformat(asked["to"])


def options(tenant: Tenant, url: str) -> dict[str, object]:
    """The options of a configured tenant that reach `tenant` at a fake served at `url`."""
    client = tenant.user_client
    return {"base_url": url, "client_id": client.id, "client_secret": Secret(client.secret)}


def serve(
    world: World, *, switches: Switches = AS_DOCUMENTED, port: int = 0
) -> AbstractAsyncContextManager[FakeOrchard]:
    """Serve `world` as Orchard on 127.0.0.1, on a free port unless one is given."""
    return listening(FakeOrchard(world, switches), port)
