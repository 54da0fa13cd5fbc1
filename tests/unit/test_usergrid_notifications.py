"""Usergrid: notifications as tasks, and what receipts tell of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from told import FAILURES, Told, ToldApi

from harvester.errors import Forbidden, Malformed, ServerFailed
from harvester.model import Feed, OpenTask, Said, Sample, TaskReport, Window
from harvester.platforms.usergrid import tasks
from harvester.platforms.usergrid.options import UsergridOptions

ROOT = "/acme/plant7"
NOTIFICATIONS, RECEIPTS = "notifications", "receipts"
TASK = "51be0f60-3424-11ee-b9d1-0242ac120002"
DEVICE = "77aa0f60-3424-11ee-b9d1-0242ac120002"
RECEIPT = "2c9d0f60-3424-11ee-b9d1-0242ac120002"
CREATED = datetime(2023, 8, 6, 6, 6, 40, tzinfo=UTC)
SENT = datetime(2023, 8, 6, 6, 6, 40, 149_000, tzinfo=UTC)
DONE = datetime(2023, 8, 6, 6, 6, 41, 200_000, tzinfo=UTC)
WINDOW = Window(CREATED.replace(hour=0), CREATED.replace(hour=12))
OPTIONS = UsergridOptions(
    base_url="https://ug.example",
    organization="acme",
    application="plant7",
    notifications=True,
)


def notification(**more: object) -> dict[str, Any]:
    """As the last servers tell it, unless `more` says otherwise; None leaves a property out."""
    said = {
        "uuid": TASK,
        "type": "notification",
        "created": 1691302000000,
        "modified": 1691302001200,
        "state": "FINISHED",
        "payloads": {"pumps": {"cmd": "reboot"}},
        "started": 1691302000000,
        "finished": 1691302001200,
        "statistics": {"sent": 1, "errors": 0},
        "metadata": {"path": f"/notifications/{TASK}", "size": 512},
        **more,
    }
    return {name: value for name, value in said.items() if value is not None}


def receipt(**more: object) -> dict[str, Any]:
    """Of a notification that was sent, unless `more` says otherwise."""
    said = {
        "uuid": RECEIPT,
        "type": "receipt",
        "created": 1691302000150,
        "modified": 1691302000150,
        "sent": 1691302000149,
        "deviceId": DEVICE,
        "notificationUUID": TASK,
        "notifierId": "fGc1",
        "payload": {"cmd": "reboot"},
        "metadata": {"path": f"/receipts/{RECEIPT}"},
        **more,
    }
    return {name: value for name, value in said.items() if value is not None}


def listed(*entities: object) -> dict[str, Any]:
    return {"action": "get", "entities": list(entities), "timestamp": 1691398400000}


async def said(path: str, *entities: object) -> list[Said]:
    api = ToldApi({f"{ROOT}/{path}": listed(*entities)})
    pulled = tasks.pulled(api, OPTIONS, Feed("task_reports", path), WINDOW, FAILURES)
    every = [each async for answer in pulled for each in answer]
    assert all("modified >= " in params["ql"] for _, params in api.asked)
    return every


async def only(path: str, entity: object) -> TaskReport:
    [report] = await said(path, entity)
    assert isinstance(report, TaskReport)
    return report


async def test_a_notification_is_a_task() -> None:
    assert await only(NOTIFICATIONS, notification()) == TaskReport(
        identity=f"notifications/{TASK}",
        task=TASK,
        kind="notification",
        state="succeeded",
        stated_state="FINISHED",
        created_at=CREATED,
        started_at=CREATED,
        finished_at=DONE,
        updated_at=DONE,
        result={"statistics": {"sent": 1, "errors": 0}},
        details={"payloads": {"pumps": {"cmd": "reboot"}}},
    )


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("CREATED", "pending"),
        ("SCHEDULED", "pending"),
        ("STARTED", "running"),
        ("FINISHED", "succeeded"),
        ("CANCELED", "failed"),
        ("FAILED", "failed"),
        ("EXPIRED", "expired"),
        ("PAUSED", "unknown"),
        (None, "unknown"),
    ],
)
async def test_the_states_of_the_platform_are_states_of_ours(word: object, state: str) -> None:
    told = await only(NOTIFICATIONS, notification(state=word))
    assert (told.state, told.stated_state) == (state, word)


async def test_what_became_of_it_is_its_result() -> None:
    failed = await only(NOTIFICATIONS, notification(statistics=None, errorMessage="no notifier"))
    assert failed.result == {"errorMessage": "no notifier"}
    fresh = await only(NOTIFICATIONS, notification(statistics=None, finished=None))
    assert (fresh.result, fresh.finished_at) == (None, None)


@pytest.mark.parametrize("at", [1691305600, 1691305600000, "soon"])
async def test_delivery_and_expiry_are_kept_as_they_were_said(at: object) -> None:
    told = await only(NOTIFICATIONS, notification(payloads=None, deliver=at, expire=at))
    assert told.details == {"deliver": at, "expire": at}


async def test_what_cannot_be_read_is_kept_too() -> None:
    told = await only(NOTIFICATIONS, notification(payloads=None, state=["?"], started="yesterday"))
    assert (told.state, told.started_at) == ("unknown", None)
    assert told.details == {"state": ["?"], "started": "yesterday"}


async def test_a_receipt_tells_of_one_device() -> None:
    assert await only(RECEIPTS, receipt()) == TaskReport(
        identity=f"receipts/{TASK}/{DEVICE}",
        task=TASK,
        kind="receipt",
        state="succeeded",
        device=DEVICE,
        created_at=SENT.replace(microsecond=150_000),
        finished_at=SENT,
        updated_at=SENT.replace(microsecond=150_000),
        details={"notifierId": "fGc1", "payload": {"cmd": "reboot"}},
    )


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({"errorCode": "InvalidRegistration", "errorMessage": "not registered"}, "failed"),
        ({"errorCode": 0, "sent": None}, "failed"),
        ({"errorMessage": "gone", "sent": None}, "failed"),
        ({"errorMessage": " "}, "succeeded"),
        ({"sent": None}, "pending"),
        ({"sent": "soon"}, "pending"),
    ],
)
async def test_an_error_is_a_failure_and_what_was_sent_succeeded(
    more: dict[str, object], state: str
) -> None:
    told = await only(RECEIPTS, receipt(**more))
    errors = {name: said for name, said in more.items() if name.startswith("error")}
    assert (told.state, told.stated_state, told.result) == (state, None, errors or None)


async def test_receipts_of_one_sending_are_one_report() -> None:
    first, second = (
        receipt(),
        receipt(uuid=RECEIPT.replace("2c9d", "2c9e"), deviceId=DEVICE.upper()),
    )
    identities = [
        each.identity
        for each in await said(RECEIPTS, first, second)
        if isinstance(each, TaskReport)
    ]
    assert identities == [f"receipts/{TASK}/{DEVICE}"] * 2


@pytest.mark.parametrize("odd", [None, "pump-3", 7, []])
async def test_a_receipt_of_no_device_or_notification_goes_by_its_own_name(odd: object) -> None:
    strange = await only(RECEIPTS, receipt(deviceId=odd))
    assert (strange.identity, strange.task, strange.device) == (f"receipts/{RECEIPT}", TASK, None)
    lone = await only(RECEIPTS, receipt(notificationUUID=odd))
    assert (lone.identity, lone.task, lone.device) == (f"receipts/{RECEIPT}", RECEIPT, DEVICE)
    kept = {} if odd is None else {"notificationUUID": odd}
    assert isinstance(lone.details, dict)
    assert {name: lone.details[name] for name in kept} == kept


ODD: list[object] = [None, 7, "x", [], {}, {"uuid": None}, {"uuid": " "}, {"uuid": []}]


@pytest.mark.parametrize("path", [NOTIFICATIONS, RECEIPTS])
@pytest.mark.parametrize("odd", ODD)
async def test_what_is_no_entity_does_not_vanish(path: str, odd: object) -> None:
    good = notification() if path == NOTIFICATIONS else receipt()
    broken, report = await said(path, odd, good)
    assert broken == Sample("", "", None, odd)
    assert isinstance(report, TaskReport)


async def asked_again(
    path: str, identity: str, told: Told, device: str | None = None
) -> tuple[Sequence[Said], list[dict[str, Any]]]:
    """What came of it, and the parameters of what was asked for."""
    api = ToldApi({f"{ROOT}/{path}": told})
    feed = Feed("task_reports", identity.partition("/")[0])
    reports = await tasks.again(api, OPTIONS, feed, OpenTask(identity, TASK, device))
    return reports, [params for _, params in api.asked]


async def test_a_notification_is_asked_for_by_itself() -> None:
    name = f"{NOTIFICATIONS}/{TASK}"
    expired = notification(state="EXPIRED", finished=None)
    assert await asked_again(name, name, listed(expired)) == (
        [await only(NOTIFICATIONS, expired)],
        [{}],
    )


async def test_a_receipt_is_asked_for_by_what_it_is_of() -> None:
    name, other = f"{RECEIPTS}/{TASK}/{DEVICE}", receipt(deviceId=RECEIPT)
    ql = f"select * where notificationUUID = {TASK} and deviceId = {DEVICE}"
    assert await asked_again(RECEIPTS, name, listed(other, receipt()), DEVICE) == (
        [await only(RECEIPTS, receipt())],
        [{"ql": ql, "limit": 1000}],
    )


async def test_a_receipt_that_goes_by_its_own_name_is_asked_for_by_it() -> None:
    name, lone = f"{RECEIPTS}/{RECEIPT}", receipt(notificationUUID=None)
    assert await asked_again(name, name, listed(lone), DEVICE) == (
        [await only(RECEIPTS, lone)],
        [{}],
    )


@pytest.mark.parametrize(
    "told",
    [
        Forbidden("", 404, {"error": "entity_not_found"}),
        Forbidden("", 404, {"error": "service_resource_not_found"}),
        listed(),
        listed(notification(uuid=DEVICE)),
    ],
)
async def test_what_the_platform_has_no_more_is_gone(told: Told) -> None:
    name = f"{NOTIFICATIONS}/{TASK}"
    assert await asked_again(name, name, told) == ([], [{}])


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (Forbidden("", 404, {"error": "organization_application_not_found"}), Forbidden),
        (Forbidden("", 404), Forbidden),
        (Forbidden("", 401, {"error": "entity_not_found"}), Forbidden),
        (ServerFailed(""), ServerFailed),
        (None, Malformed),
        ({"error": "entity_not_found"}, Malformed),
        ({"action": "get", "entities": {"uuid": TASK}}, Malformed),
    ],
)
async def test_what_cannot_be_had_is_not_gone(told: Told, error: type[Exception]) -> None:
    name = f"{NOTIFICATIONS}/{TASK}"
    with pytest.raises(error):
        await asked_again(name, name, told)
