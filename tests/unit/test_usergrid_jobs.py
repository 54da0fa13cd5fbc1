"""Usergrid: imports and exports as tasks, each asked for by the UUID that the settings name."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs
from told import Told, ToldApi

from harvester.errors import (
    Forbidden,
    Malformed,
    PlatformError,
    RequestRefused,
    ServerFailed,
    TooLarge,
    Truncated,
    Unreachable,
)
from harvester.model import Credentials, Discovered, Feed, OpenTask, Said, TaskReport, Window
from harvester.platforms.usergrid import Adapter
from harvester.platforms.usergrid.options import UsergridOptions

IMPORT, OTHER, EXPORT = (f"0b1a0f6{n}-3424-11ee-b9d1-0242ac120002" for n in range(3))
IMPORTS, EXPORTS = "/management/orgs/acme/apps/plant%2F7/imports", "/management/orgs/acme/export"
CREATED = datetime(2023, 8, 6, 6, 6, 40, tzinfo=UTC)
STARTED = datetime(2023, 8, 6, 6, 6, 41, tzinfo=UTC)
TICK = timedelta(minutes=5)
OF_IMPORTS, OF_EXPORTS = (
    Feed("task_reports", key, from_now=True, every=timedelta(minutes=1))
    for key in ("imports", "exports")
)
CLIENT = Credentials(None)
UNKNOWN = Forbidden("", 404, {"error": "entity_not_found"})
REFUSALS = [RequestRefused("", 400), ServerFailed(""), UNKNOWN]
"""What an export, an import, and a server that says what it means have for a UUID of none."""


def options(**more: object) -> UsergridOptions:
    told = {"base_url": "https://ug.example", "organization": "acme", "application": "plant/7"}
    return UsergridOptions.model_validate({**told, "level": "management", **more})


def adapter() -> Adapter:
    return Adapter(options(imports=[IMPORT, OTHER], exports=[EXPORT]))


def job(uuid: str, **more: object) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "created": 1691302000000,
        "modified": 1691302000000,
        "state": "STARTED",
        "started": 1691302001000,
        "errorMessage": " ",
        "metadata": {"path": f"/jobs/{uuid}"},
        **more,
    }


def listed(*entities: object, **more: object) -> dict[str, Any]:
    return {"action": "get", "entities": list(entities), **more}


def api(**changed: Told) -> ToldApi:
    """Two imports, one of them with a file, and an export: all go on, unless it is `changed`."""
    file = {"uuid": OTHER, "type": "file_import", "fileName": "rows.json", "state": "FINISHED"}
    answers: dict[str, Told] = {
        f"{IMPORTS}/{IMPORT}": changed.get("one", listed(job(IMPORT, fileCount=1))),
        f"{IMPORTS}/{IMPORT}/files": changed.get("files", listed(file)),
        f"{IMPORTS}/{OTHER}": changed.get("other", listed(job(OTHER))),
        f"{IMPORTS}/{OTHER}/files": listed(),
        f"{EXPORTS}/{EXPORT}": changed.get("export", job(EXPORT)),
    }
    return ToldApi(answers)


async def said(
    usergrid: Adapter, told: ToldApi, feed: Feed = OF_IMPORTS, ticks: float = 0
) -> list[Said]:
    """What a feed brings so many ticks after the first one."""
    window = Window(CREATED - TICK, CREATED + ticks * TICK)
    return [each async for batch in usergrid.task_reports(told, feed, window) for each in batch]


async def tasks(usergrid: Adapter, told: ToldApi, feed: Feed = OF_IMPORTS) -> list[str]:
    return [each.task for each in await said(usergrid, told, feed) if isinstance(each, TaskReport)]


async def test_an_import_is_a_task_and_its_files_are_the_result() -> None:
    report, other = await said(adapter(), api())
    assert report == TaskReport(
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
    assert isinstance(other, TaskReport)
    assert (other.identity, other.result) == (f"imports/{OTHER}", [])


async def test_an_export_is_a_task_that_comes_bare() -> None:
    told = api(export=job(EXPORT, state="FAILED", errorMessage="Access Denied"))
    assert await said(adapter(), told, OF_EXPORTS) == [
        TaskReport(
            identity=f"exports/{EXPORT}",
            task=EXPORT,
            kind="export",
            state="failed",
            stated_state="FAILED",
            created_at=CREATED,
            started_at=STARTED,
            updated_at=CREATED,
            details={"errorMessage": "Access Denied"},
        )
    ]


async def test_files_are_read_to_their_end_whatever_the_size_of_a_page() -> None:
    def pages(params: Mapping[str, Any]) -> dict[str, Any]:
        number = int(params.get("cursor", 0))
        of_ten = [{"fileName": str(each)} for each in range(10 * number, 10 * number + 10)]
        return listed(*of_ten, **({"cursor": str(number + 1)} if number < 2 else {}))

    [report, _] = await said(adapter(), api(files=pages))
    assert isinstance(report, TaskReport)
    assert report.result == [{"fileName": str(number)} for number in range(30)]


async def found(usergrid: Adapter, told: ToldApi, who: Credentials = CLIENT) -> list[Discovered]:
    return [each async for each in usergrid.discover(told, who)]


async def test_each_kind_that_is_named_is_a_feed_of_no_device() -> None:
    assert await found(adapter(), api()) == [Discovered(None, (OF_IMPORTS, OF_EXPORTS))]
    exporting = Adapter(options(exports=[EXPORT]))
    assert await found(exporting, api(), Credentials("ana")) == [Discovered(None, (OF_EXPORTS,))]


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_jobs_that_an_account_may_not_see_are_told_once_and_left_out(status: int) -> None:
    usergrid, refused = adapter(), Forbidden("", status)
    with capture_logs() as logs:
        for _ in range(2):
            assert await found(usergrid, api(one=refused)) == [Discovered(None, (OF_EXPORTS,))]
        assert await found(usergrid, api()) == [Discovered(None, (OF_IMPORTS, OF_EXPORTS))]
    assert [(log["event"], log["what"], log.get("status")) for log in logs] == [
        ("failing", "(client): imports", status),
        ("well again", "(client): imports", None),
    ]


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_uuid_of_no_job_does_not_spoil_the_discovery(refusal: PlatformError) -> None:
    told = api(one=refusal, export=refusal)
    assert await found(adapter(), told) == [Discovered(None, (OF_IMPORTS, OF_EXPORTS))]


async def test_users_of_the_application_do_not_ask_for_the_organizations_jobs() -> None:
    own = {"client_id": "b3U6Gw", "client_secret": SecretStr("s"), "level": "application"}
    usergrid, told = Adapter(options(exports=[EXPORT], **own)), api()
    assert await found(usergrid, told, Credentials("ana")) == [] == told.asked
    assert await found(usergrid, told) == [Discovered(None, (OF_EXPORTS,))]


ODD: list[Told] = [
    *REFUSALS,
    TooLarge(""),
    Truncated(""),
    "x",
    None,
    {"error": "runtime"},
    listed(),
    listed(None),
    listed(job(OTHER)),
    listed({"uuid": 7}),
]


@pytest.mark.parametrize("odd", ODD)
async def test_one_job_that_cannot_be_had_is_told_once_and_costs_no_other(odd: Told) -> None:
    usergrid = adapter()
    with capture_logs() as logs:
        for told in (api(one=odd), api(one=odd), api()):
            assert OTHER in await tasks(usergrid, told)
    assert [(log["event"], log["what"]) for log in logs] == [
        ("failing", f"{IMPORTS}/{IMPORT}"),
        ("well again", f"{IMPORTS}/{IMPORT}"),
    ]


@pytest.mark.parametrize("odd", [ServerFailed(""), Malformed(""), listed(cursor="again"), "x"])
async def test_an_import_is_not_told_without_its_files(odd: Told) -> None:
    with capture_logs() as logs:
        assert await tasks(adapter(), api(files=odd)) == [OTHER]
    assert [log["what"] for log in logs] == [f"{IMPORTS}/{IMPORT}"]


@pytest.mark.parametrize("error", [Forbidden("", 401), Forbidden("", 404), Unreachable("")])
async def test_what_is_no_fault_of_one_job_is_none_of_its_feed_either(error: Exception) -> None:
    with pytest.raises(type(error)):
        await said(adapter(), api(one=error))


def asked_of(told: ToldApi, uuid: str) -> int:
    return sum(path.endswith(f"/{uuid}") for path, _ in told.asked)


@pytest.mark.parametrize("one", [*REFUSALS, listed(job(IMPORT, state="FINISHED"))])
async def test_a_job_that_is_over_or_cannot_be_had_is_asked_for_ever_more_slowly(
    one: Told,
) -> None:
    usergrid, told = adapter(), api(one=one)
    ticks = [tick for tick in range(40) if await _is_asked(usergrid, told, tick)]
    assert ticks == [0, 1, 2, 4, 8, 16, 32]
    assert asked_of(told, OTHER) == 40
    assert await _is_asked(usergrid, told, 32 + 72), "after six hours at the latest"
    assert await _is_asked(usergrid, told, 32 + 72 + 72)


async def _is_asked(usergrid: Adapter, told: ToldApi, tick: int) -> bool:
    before = asked_of(told, IMPORT)
    await said(usergrid, told, ticks=tick)
    return asked_of(told, IMPORT) > before


async def test_an_import_that_is_had_after_all_is_asked_for_each_time() -> None:
    usergrid = adapter()
    for tick in range(3):
        await said(usergrid, api(one=ServerFailed("")), ticks=tick)
    well = api()
    assert [tick for tick in range(3, 8) if await _is_asked(usergrid, well, tick)] == [4, 5, 6, 7]
    task = OpenTask(f"imports/{IMPORT}", IMPORT, None)
    assert await usergrid.task_report(well, OF_IMPORTS, task), "by itself too"


async def test_what_is_over_after_trouble_is_told_twice_at_least() -> None:
    usergrid, over = adapter(), listed(job(IMPORT, state="FAILED"))
    for tick in range(3):
        await said(usergrid, api(one=ServerFailed("")), ticks=tick)
    well = api(one=over)
    assert [tick for tick in range(3, 12) if await _is_asked(usergrid, well, tick)] == [4, 5, 6, 8]


async def test_a_job_is_asked_for_by_itself_as_it_is_by_its_feed() -> None:
    told, usergrid = api(one=listed(job(IMPORT, state="FAILED"))), adapter()
    for feed, kind, uuid in ((OF_IMPORTS, "imports", IMPORT), (OF_EXPORTS, "exports", EXPORT)):
        [report, *_] = await said(usergrid, told, feed)
        task = OpenTask(f"{kind}/{uuid}", uuid, None)
        assert [*await usergrid.task_report(told, feed, task)] == [report]


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_job_that_is_not_known_is_neither_gone_nor_the_platforms_failure(
    refusal: PlatformError,
) -> None:
    usergrid, told = adapter(), api(one=refusal)
    task = OpenTask(f"imports/{IMPORT}", IMPORT, None)
    with pytest.raises(RequestRefused):
        await usergrid.task_report(told, OF_IMPORTS, task)
    await said(usergrid, told)
    with pytest.raises(RequestRefused):
        await usergrid.task_report(told, OF_IMPORTS, task)
    assert asked_of(told, IMPORT) == 2, "it is left to its feed, which just asked"


async def test_jobs_that_are_named_no_more_are_not_asked_for() -> None:
    usergrid, told = Adapter(options(exports=[EXPORT])), api()
    with pytest.raises(Forbidden):
        await said(usergrid, told)
    with pytest.raises(Forbidden):
        await usergrid.task_report(told, OF_IMPORTS, OpenTask(f"imports/{IMPORT}", IMPORT, None))
    assert told.asked == []


def test_a_uuid_is_taken_in_any_spelling_and_given_once() -> None:
    spelt = [IMPORT.upper(), OTHER.replace("-", "")]
    assert options(imports=spelt).imports == (IMPORT, OTHER)
    with pytest.raises(ValidationError, match=f"{EXPORT} is given twice: each is read once"):
        options(exports=[EXPORT, EXPORT.upper()])
    with pytest.raises(ValidationError, match="takes the UUID that was told to whoever began"):
        options(exports=["latest"])


@pytest.mark.parametrize("kind", ["imports", "exports"])
def test_jobs_take_an_account_of_the_organization(kind: str) -> None:
    of_application = {"level": "application", "client_secret": SecretStr("s"), kind: [IMPORT]}
    with pytest.raises(ValidationError, match=r'an organization\'s: set level = "management"'):
        options(**of_application, client_id="YXA6Gw")
    assert options(**of_application, client_id="b3U6Gw")
    assert options(**{kind: [IMPORT]})
