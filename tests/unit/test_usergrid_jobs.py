"""Usergrid: imports as tasks, with the files of each."""

from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs
from told import Told, ToldApi

from harvester.errors import Forbidden, Malformed, ServerFailed, Truncated
from harvester.model import (
    Credentials,
    Discovered,
    Feed,
    OpenTask,
    Said,
    Sample,
    TaskReport,
    Window,
)
from harvester.platforms.usergrid import Adapter, tasks
from harvester.platforms.usergrid.options import UsergridOptions

LIST = "/management/orgs/acme/apps/plant%2F7/imports"
IMPORT = "0b1a0f60-3424-11ee-b9d1-0242ac120002"
FILE = "77aa0f60-3424-11ee-b9d1-0242ac120002"
CREATED = datetime(2023, 8, 6, 6, 6, 40, tzinfo=UTC)
STARTED = datetime(2023, 8, 6, 6, 6, 41, tzinfo=UTC)
WINDOW = Window(CREATED, CREATED.replace(hour=12))
FEED = Feed("task_reports", "imports")
OPTIONS = UsergridOptions(
    base_url="https://ug.example", organization="acme", application="plant/7", jobs=True
)


def job(**more: object) -> dict[str, Any]:
    return {
        "uuid": IMPORT,
        "type": "import",
        "created": 1691302000000,
        "modified": 1691302000000,
        "state": "STARTED",
        "started": 1691302001000,
        "fileCount": 1,
        "errorMessage": " ",
        "metadata": {"path": f"/imports/{IMPORT}"},
        **more,
    }


def file(**more: object) -> dict[str, Any]:
    return {
        "uuid": FILE,
        "type": "file_import",
        "fileName": "rows.json",
        "state": "FINISHED",
    } | more


def listed(*entities: object, cursor: str | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {"action": "get", "entities": list(entities)}
    return told | ({"cursor": cursor} if cursor else {})


def api(*jobs: object, files: Told = None) -> ToldApi:
    """Of that import and its files, and of others that have none."""
    none = {f"{LIST}/{n}/files": listed() for n in range(30)}
    return ToldApi({LIST: listed(*jobs), f"{LIST}/{IMPORT}/files": files or listed(file()), **none})


async def said(told: ToldApi, window: Window = WINDOW) -> list[Said]:
    pulled = tasks.pulled(told, OPTIONS, FEED, window)
    return [each async for answer in pulled for each in answer]


async def test_an_import_is_a_task_and_its_files_are_the_result() -> None:
    assert await said(api(job())) == [
        TaskReport(
            identity=f"imports/{IMPORT}",
            task=IMPORT,
            kind="import",
            state="running",
            stated_state="STARTED",
            created_at=CREATED,
            started_at=STARTED,
            updated_at=CREATED,
            result=[{"fileName": "rows.json", "state": "FINISHED"}],
            details={"fileCount": 1, "errorMessage": " "},
        )
    ]


async def test_only_what_was_begun_in_the_window_has_its_files_read() -> None:
    before, after = job(uuid="1", created=1691301999999), job(uuid="2", created=1691323600000)
    told = api(before, job(), job(uuid="3", created="soon"), after)
    names = [each.task for each in await said(told) if isinstance(each, TaskReport)]
    assert names == [IMPORT, "3"]
    assert [path for path, _ in told.asked] == [
        LIST,
        f"{LIST}/{IMPORT}/files",
        f"{LIST}/3/files",
    ]


async def found(reader: Adapter, told: Told) -> list[Discovered]:
    api = ToldApi({LIST: told})
    return [each async for each in reader.discover(api, Credentials("ana"))]


async def test_imports_are_a_feed_of_no_device() -> None:
    assert await found(Adapter(OPTIONS), listed()) == [Discovered(None, (FEED,))]


@pytest.mark.parametrize("refusal", [Forbidden(""), Forbidden("", 404), ServerFailed("")])
async def test_imports_that_cannot_be_listed_are_told_once_and_cost_nothing_else(
    refusal: Exception,
) -> None:
    reader = Adapter(OPTIONS)
    with capture_logs() as logs:
        assert await found(reader, refusal) == await found(reader, refusal) == []
        assert await found(reader, listed(job()))
    what = f"ana: {LIST}"
    assert [(log["event"], log["what"]) for log in logs] == [
        ("failing", what),
        ("well again", what),
    ]


async def test_lists_are_read_to_their_end_whatever_the_size_of_a_page() -> None:
    def pages(params: dict[str, Any]) -> dict[str, Any]:
        number = int(params.get("cursor", 0))
        of_ten = [job(uuid=str(each)) for each in range(10 * number, 10 * number + 10)]
        return listed(*of_ten, cursor=str(number + 1) if number < 2 else None)

    told = api()
    told.answers = {**told.answers, LIST: pages}
    names = [each.task for each in await said(told) if isinstance(each, TaskReport)]
    assert names == [str(number) for number in range(30)]


async def test_a_list_that_goes_round_in_circles_is_not_complete() -> None:
    told = api()
    told.answers = {**told.answers, LIST: listed(job(), cursor="again")}
    with pytest.raises(Truncated):
        await said(told)


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, {"uuid": " "}])
async def test_what_is_no_entity_does_not_vanish(odd: object) -> None:
    broken, good = await said(api(odd, job()))
    assert broken == Sample("", "", None, odd)
    assert isinstance(good, TaskReport)


@pytest.mark.parametrize(
    ("files", "error"),
    [(ServerFailed(""), ServerFailed), ("none", Malformed), (Forbidden(""), Forbidden)],
)
async def test_an_import_whose_files_cannot_be_had_is_not_told(
    files: Told, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await said(api(job(), files=files))


async def test_an_import_is_asked_for_by_itself() -> None:
    told = api()
    told.answers = {**told.answers, f"{LIST}/{IMPORT}": listed(job(state="FAILED"))}
    task = OpenTask(f"imports/{IMPORT}", IMPORT, None)
    [report] = await tasks.again(told, OPTIONS, FEED, task)
    assert isinstance(report, TaskReport)
    assert (report.state, report.result) == (
        "failed",
        [{"fileName": "rows.json", "state": "FINISHED"}],
    )
    gone = ToldApi({f"{LIST}/{IMPORT}": Forbidden("", 404, {"error": "entity_not_found"})})
    assert await tasks.again(gone, OPTIONS, FEED, task) == []
