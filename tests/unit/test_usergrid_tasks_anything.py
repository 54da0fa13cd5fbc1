"""Usergrid: whatever an entity says, it becomes a report that can be stored, or is rejected."""

from datetime import UTC, datetime, timedelta

from hypothesis import example, given, strategies as st
from told import FAILURES

from harvester import channels, task_reports
from harvester.model import Feed, Sample, TaskReport, Window
from harvester.platforms.base import Params
from harvester.platforms.usergrid import Adapter, tasks
from harvester.platforms.usergrid.options import UsergridOptions

NOW = datetime(2023, 8, 6, 6, 6, 40, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(days=1), NOW)
ORDERS = {
    "path": "orders",
    "state": "a.b",
    "kind": "kind",
    "device": "deviceId",
    "started": "started",
    "finished": "a.b.c",
    "time_unit": "iso",
    "result": "a",
    "states": {"x": "failed"},
}
JOB = "0b1a0f60-3424-11ee-b9d1-0242ac120002"
OPTIONS = UsergridOptions.model_validate(
    {
        "base_url": "https://ug.example",
        "organization": "acme",
        "application": "plant7",
        "notifications": True,
        "level": "management",
        "imports": [JOB],
        "exports": [JOB],
        "tasks": [ORDERS],
    }
)
FEEDS = ("notifications", "receipts", "orders")
NAMES = [
    "uuid",
    "created",
    "modified",
    "state",
    "started",
    "finished",
    "sent",
    "deviceId",
    "kind",
    "notificationUUID",
    "errorCode",
    "errorMessage",
    "a",
    "a.b",
    "b",
    "c",
    "metadata",
]

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())  # lone surrogates too
    | st.uuids().map(str)
    | st.datetimes().map(datetime.isoformat)
    | st.integers(-(10**15), 10**15).map(str)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=6,
)
ENTITIES = st.dictionaries(st.sampled_from(NAMES), JSON) | JSON


class AnyApi:
    """Says the same of everything, of files too."""

    def __init__(self, told: object) -> None:
        self._told = told

    async def get(self, _path: str, _params: Params | None = None) -> object:
        return self._told


def listed(entity: object) -> object:
    return {"action": "get", "entities": [entity]}


@given(ENTITIES)
@example({"uuid": "\ud800"})
@example({"uuid": 10**4000, "started": 10**4000, "sent": "9" * 20})
@example({"uuid": "x", "a": {"b": {"c": "9999-12-31T23:59:59-14:00"}}, "state": True})
async def test_whatever_an_entity_says_it_is_told_or_rejected(entity: object) -> None:
    for key in FEEDS:
        feed = Feed("task_reports", key)
        pulled = tasks.pulled(AnyApi(listed(entity)), OPTIONS, feed, WINDOW, FAILURES)
        said = [each async for answer in pulled for each in answer]
        reports = [each for each in said if isinstance(each, TaskReport)]
        kept, rejections = task_reports.normalize(reports, NOW)
        samples = [each for each in said if isinstance(each, Sample)]
        refused = channels.normalize(samples, NOW).rejections
        assert len(kept) + len(rejections) + len(refused) == len(said)
        assert said


@given(ENTITIES)
@example({"started": 10**4000, "state": "\ud800"})
async def test_whatever_a_job_says_it_is_a_report_or_none(entity: object) -> None:
    is_one = isinstance(entity, dict)
    job = {**entity, "uuid": JOB} if isinstance(entity, dict) else entity
    for key, told in (("imports", listed(job)), ("exports", job)):
        pulled = Adapter(OPTIONS).task_reports(AnyApi(told), Feed("task_reports", key), WINDOW)
        said = [each async for answer in pulled for each in answer]
        reports = [each for each in said if isinstance(each, TaskReport)]
        kept, rejections = task_reports.normalize(reports, NOW)
        assert (len(kept), rejections) == (is_one, [])
