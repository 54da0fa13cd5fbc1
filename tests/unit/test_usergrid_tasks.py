"""Usergrid: tasks in collections of a tenant's own, whose properties are settings."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError
from told import FAILURES, ToldApi

from harvester.errors import Forbidden
from harvester.model import Feed, OpenTask, Sample, TaskReport, Window
from harvester.platforms.usergrid import tasks
from harvester.platforms.usergrid.options import UsergridOptions

TASK = "0b1a0f60-3424-11ee-b9d1-0242ac120002"
DEVICE = "77aa0f60-3424-11ee-b9d1-0242ac120002"
CREATED = datetime(2023, 8, 6, 6, 6, 40, tzinfo=UTC)
MODIFIED = datetime(2023, 8, 6, 6, 6, 41, 200_000, tzinfo=UTC)
WINDOW = Window(CREATED.replace(hour=0), CREATED.replace(hour=12))
OF_DEVICE = f"devices/{DEVICE}/gets/orders"


def order(**more: object) -> dict[str, Any]:
    """As somebody may have designed it."""
    return {
        "uuid": TASK,
        "type": "order",
        "name": "order-17",
        "created": 1691302000000,
        "modified": 1691302001200,
        "state": "running",
        "line": 3,
        "metadata": {"path": f"/orders/{TASK}", "size": 212},
        **more,
    }


def options(*where: Mapping[str, object], **more: object) -> UsergridOptions:
    given = {"base_url": "https://ug.example", "organization": "acme", "application": "plant7"}
    return UsergridOptions.model_validate({**given, "tasks": where, **more})


def listed(*entities: object) -> dict[str, Any]:
    return {"action": "get", "entities": list(entities), "timestamp": 1691398400000}


async def report(
    said: object, path: str = "orders", *, notifications: bool = False, **where: object
) -> TaskReport:
    """Of the only entity of a collection, or of a connection of the device."""
    given = options({"path": path, **where}, notifications=notifications)
    [feed] = tasks.feeds(path, DEVICE if "{" in path else None)
    api = ToldApi({f"/acme/plant7/{feed.key}": listed(said)})
    pulled = tasks.pulled(api, given, feed, WINDOW, FAILURES)
    [only] = [each async for answer in pulled for each in answer]
    assert isinstance(only, TaskReport)
    return only


async def test_an_entity_is_a_task_as_it_is() -> None:
    assert await report(order()) == TaskReport(
        identity=f"orders/{TASK}",
        task=TASK,
        kind="orders",
        state="running",
        stated_state="running",
        created_at=CREATED,
        updated_at=MODIFIED,
        details={"name": "order-17", "line": 3},
    )


async def test_which_property_is_what_is_a_setting() -> None:
    said = order(
        what={"kind": "valve/open", "pump": "pump-3"},
        progress={"word": "Done", "begun": 1691302000, "over": "1691302001.2"},
        answer=[True],
    )
    told = await report(
        said,
        state="progress.word",
        kind="what.kind",
        device="what.pump",
        started="progress.begun",
        finished="progress.over",
        time_unit="s",
        result="answer",
    )
    assert (told.kind, told.device, told.state) == ("valve/open", "pump-3", "succeeded")
    assert (told.started_at, told.finished_at, told.result) == (CREATED, MODIFIED, [True])
    kept = {name: said[name] for name in ("name", "state", "line", "what", "progress")}
    assert told.details == kept, "of an object only a part was read"


async def test_what_cannot_be_read_stays_in_the_details() -> None:
    odd = order(state=["?"], what=None, pump={}, begun="2023-08-06T06:06:40")
    told = await report(
        odd, kind="what", device="pump", started="begun", finished="over", time_unit="iso"
    )
    assert (told.kind, told.device, told.state) == ("orders", None, "unknown")
    assert (told.started_at, told.finished_at, told.stated_state) == (None, None, None)
    names = ("name", "state", "line", "what", "pump", "begun")
    assert told.details == {name: odd[name] for name in names}


@pytest.mark.parametrize("odd", [None, 7, True, "word", [], {}, {"word": None}])
async def test_a_property_that_is_of_another_type_is_as_good_as_absent(odd: object) -> None:
    told = await report(order(progress=odd), state="progress.word", started="progress")
    assert (told.state, told.stated_state) == ("unknown", None)
    assert told.started_at == (datetime(1970, 1, 1, 0, 0, 0, 7000, UTC) if odd == 7 else None)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        *((word, "pending") for word in ("pending", "Queued", "WAITING", "created", "scheduled")),
        *((word, "running") for word in ("started", "IN_PROGRESS", "in-progress", "Processing")),
        *((word, "succeeded") for word in ("ok", "Success", " done ", "COMPLETED", "finished")),
        *((word, "failed") for word in ("failed", "ERROR", "canceled", "cancelled", "Failure")),
        *((word, "expired") for word in ("Expired", "timeout", "timed out")),
        *((word, "unknown") for word in ("parked", "terminé", "7", "okay then")),
    ],
)
async def test_words_in_use_are_known_in_any_case(word: str, state: str) -> None:
    told = await report(order(state=word))
    assert (told.state, told.stated_state) == (state, word)


@pytest.mark.parametrize(
    ("said", "stated", "state"),
    [
        ("PARKED", "PARKED", "pending"),
        ("on_hold", "on_hold", "pending"),
        ("done", "done", "running"),
        (3, "3", "succeeded"),
        (True, "true", "failed"),
        ("ok", "ok", "succeeded"),
    ],
)
async def test_words_of_a_tenant_go_before_those_that_are_known(
    said: object, stated: str, state: str
) -> None:
    own = {"parked": "pending", "On hold": "pending", "DONE": "running"}
    told = await report(order(state=said), states={**own, "3": "succeeded", "true": "failed"})
    assert (told.stated_state, told.state) == (stated, state)


async def test_a_connection_of_a_device_names_it() -> None:
    path = "devices/{device}/gets/orders"
    told = await report(order(), path)
    assert (told.identity, told.device) == (f"{OF_DEVICE}/{TASK}", DEVICE)
    assert told.kind == "orders"
    assert (await report(order(pump="pump-3"), path, device="pump")).device == "pump-3"


async def test_a_feed_of_a_device_serves_it_alone() -> None:
    [one] = tasks.feeds("devices/{device}/gets/orders", DEVICE)
    assert one == Feed("task_reports", OF_DEVICE, (DEVICE,))
    [of_all] = tasks.feeds("orders")
    assert of_all == Feed("task_reports", "orders")


async def test_a_collection_may_stand_beside_notifications_or_in_their_place() -> None:
    assert (await report(order(), notifications=True)).identity == f"orders/{TASK}"
    told = await report(order(state="parked"), "notifications", states={"parked": "failed"})
    assert (told.kind, told.state) == ("notifications", "failed")


ODD: list[object] = [None, 7, "x", [], {}, {"uuid": None}, {"uuid": " "}]


@pytest.mark.parametrize("odd", ODD)
async def test_what_is_no_entity_does_not_vanish(odd: object) -> None:
    api = ToldApi({"/acme/plant7/orders": listed(odd, order())})
    feed = Feed("task_reports", "orders")
    pulled = tasks.pulled(api, options({"path": "orders"}), feed, WINDOW, FAILURES)
    broken, good = [each async for answer in pulled for each in answer]
    assert broken == Sample("", "", None, odd)
    assert isinstance(good, TaskReport)


async def test_a_task_is_asked_for_where_it_is() -> None:
    given = options({"path": "devices/{device}/gets/orders"})
    feed = Feed("task_reports", OF_DEVICE, (DEVICE,))
    api = ToldApi({f"/acme/plant7/{OF_DEVICE}/{TASK}": listed(order(state="done"))})
    [told] = await tasks.again(api, given, feed, OpenTask(f"{OF_DEVICE}/{TASK}", TASK, DEVICE))
    assert isinstance(told, TaskReport)
    assert (told.state, told.device, told.kind) == ("succeeded", DEVICE, "orders")


async def test_a_path_that_is_configured_no_more_is_not_asked_for() -> None:
    api, feed = ToldApi({}), Feed("task_reports", OF_DEVICE, (DEVICE,))
    given = options({"path": "orders"}, {"path": "users/{device}/gets/orders"})
    with pytest.raises(Forbidden):
        [said async for said in tasks.pulled(api, given, feed, WINDOW, FAILURES)]
    with pytest.raises(Forbidden):
        await tasks.again(api, given, feed, OpenTask(f"{OF_DEVICE}/{TASK}", TASK, DEVICE))
    assert api.asked == []


def test_tasks_are_where_the_options_say() -> None:
    given = options({"path": "orders"}, {"path": "devices/{device}/gets/orders"})
    assert tasks.paths(given) == ("orders", "devices/{device}/gets/orders")
    pushed = options({"path": "orders"}, notifications=True)
    assert tasks.paths(pushed) == ("notifications", "receipts", "orders")


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("Notifications", {"notifications": True}),
        ("receipts", {"notifications": True}),
        ("imports", {"level": "management", "imports": [TASK]}),
        ("Exports", {"level": "management", "exports": [TASK]}),
    ],
)
def test_what_is_harvested_already_is_no_collection_of_ones_own(
    path: str, more: dict[str, object]
) -> None:
    assert options({"path": path}).tasks
    with pytest.raises(ValidationError, match="harvested already, by notifications, imports"):
        options({"path": path}, **more)
