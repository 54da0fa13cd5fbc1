"""DeviceHive: how far a command has got, in the words of devices, and what it measured."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from told import Told, ToldApi

from harvester.errors import Forbidden, Malformed, RequestRefused, ServerFailed
from harvester.model import BEGINNING, FOREVER, Feed, OpenTask, Said, Sample, TaskReport, Window
from harvester.platforms.devicehive import Adapter
from harvester.platforms.devicehive.options import DeviceHiveOptions

DEVICE = "gh-07/a"
LIST = "/device/gh-07%2Fa/command"
ONE = f"{LIST}/118834422"
FEED = Feed("task_reports", DEVICE, (DEVICE,))
WINDOW = Window(BEGINNING, FOREVER)
CREATED = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
UPDATED = datetime(2026, 3, 4, 5, 6, 2, 311_000, tzinfo=UTC)
DETAILS = {
    "userId": 42,
    "networkId": 7,
    "deviceTypeId": 1,
    "parameters": {"line": 3},
    "lifetime": 60,
}
IDENTITY = f"{DEVICE}/118834422/2026-03-04T05:06:00.000"
TASK = OpenTask(IDENTITY, "118834422", DEVICE)


def command(**more: object) -> dict[str, Any]:
    """As the platform documents it, unless `more` says otherwise."""
    return {
        "id": 118834422,
        "command": "valve/open",
        "timestamp": "2026-03-04T05:06:00.000",
        "lastUpdated": "2026-03-04T05:06:02.311",
        "deviceId": DEVICE,
        "status": "OK",
        "result": {"opened": True},
        **DETAILS,
    } | more


def adapter(**options: object) -> Adapter:
    given = {"base_url": "https://dh.example/api/rest", **options}
    return Adapter(DeviceHiveOptions.model_validate(given))


async def said(*told: object, **options: object) -> list[Said]:
    api = ToldApi({LIST: list(told)})
    asked = adapter(**options).task_reports(api, FEED, WINDOW)
    every = [each async for batch in asked for each in batch]
    assert [path for path, _ in api.asked] == [LIST]
    assert "status" not in api.asked[0][1].values(), "a list sorted by it never comes"
    return every


async def report(options: Mapping[str, object] | None = None, **more: object) -> TaskReport:
    [only] = await said(command(**more), **(options or {}))
    assert isinstance(only, TaskReport)
    return only


async def samples(options: Mapping[str, object] | None = None, **more: object) -> list[Sample]:
    """Those of a command that reads, as devices with the vendor's firmware answer it."""
    read = command(**{"command": "devices/ds18b20/read", "result": {"temperature": 24.5}, **more})
    first, *others = await said(read, **(options or {}))
    assert isinstance(first, TaskReport)
    return [each for each in others if isinstance(each, Sample)]


async def test_the_documented_command_is_read() -> None:
    assert await report() == TaskReport(
        identity=IDENTITY,
        task="118834422",
        kind="valve/open",
        state="succeeded",
        stated_state="OK",
        device=DEVICE,
        created_at=CREATED,
        finished_at=UPDATED,
        updated_at=UPDATED,
        result={"opened": True},
        details=DETAILS,
    )


async def test_a_command_without_an_answer_is_pending() -> None:
    fresh = await report(status=None, result=None, lastUpdated="2026-03-04T05:06:00.000")
    assert (fresh.state, fresh.stated_state, fresh.finished_at) == ("pending", None, None)
    assert (fresh.created_at, fresh.updated_at, fresh.result) == (CREATED, CREATED, None)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        *((word, "succeeded") for word in ("OK", "Ok", "ok", "success", "SUCCEEDED", "Done")),
        *((word, "failed") for word in ("Error", "FAILED", "failure", "Unknown command")),
        *((word, "failed") for word in ("timeout", "Timed out")),
        *((word, "running") for word in ("in progress", "IN_PROGRESS", "In-Progress", "running")),
        *(("Pending", "pending"), ("expired", "expired"), (" ok ", "succeeded")),
        *((word, "unknown") for word in ("", "Erfolg", "terminé", "не выполнено", "okay then")),
    ],
)
async def test_a_state_is_what_devices_mean_by_their_word(status: str, state: str) -> None:
    told = await report(status=status)
    assert (told.state, told.stated_state) == (state, status)
    assert told.finished_at == (UPDATED if state in ("succeeded", "failed", "expired") else None)


async def test_words_of_an_installation_go_before_those_that_are_known() -> None:
    own = {"command_states": {"Erfolg": "succeeded", "DONE": "running"}}
    states = [(await report(own, status=word)).state for word in ("ERFOLG", "done", "ok", "x")]
    assert states == ["succeeded", "running", "succeeded", "unknown"]


@pytest.mark.parametrize("status", [7, True, [], {"code": 1}])
async def test_a_status_that_is_no_text_is_not_known(status: object) -> None:
    assert (await report(status=status)).state == "unknown"


@pytest.mark.parametrize("result", [None, {}, {"a": [1, {"b": None}]}, "text", 7, []])
async def test_a_result_is_kept_as_it_was_said(result: object) -> None:
    assert (await report(result=result)).result == result


async def test_nulls_and_what_is_missing_are_no_mistake() -> None:
    old = await report(userId=None, lastUpdated=None, networkId=None)
    assert (old.updated_at, old.finished_at) == (None, None)
    assert (old.created_at, old.state) == (CREATED, "succeeded")
    bare = {"id": 5, "command": "x", "timestamp": "soon"}
    [told] = await said(bare)
    assert isinstance(told, TaskReport)
    assert (told.identity, told.created_at, told.details) == (f"{DEVICE}/5/soon", None, {})


async def test_a_number_that_comes_again_is_another_command() -> None:
    told = [await report(), await report(timestamp="2026-03-04T06:00:00.000")]
    assert len({each.identity for each in told}) == 2
    assert len({each.task for each in told}) == 1


NO_NAMES: list[object] = [None, "", []]
ODD: list[object] = [None, 7, "x", [], {}]
ODD += [command(**{key: none}) for key in ("id", "command") for none in NO_NAMES]


@pytest.mark.parametrize("odd", ODD)
async def test_what_is_out_of_shape_does_not_vanish(odd: object) -> None:
    broken, good = await said(odd, command())
    assert broken == Sample(DEVICE, "", None, odd)
    assert isinstance(good, TaskReport)


async def test_results_of_reading_are_samples_too() -> None:
    channel = "devices/ds18b20/read.temperature"
    [sample] = await samples()
    assert sample == Sample(DEVICE, channel, UPDATED, 24.5, "0118834422")


@pytest.mark.parametrize(
    ("result", "channels"),
    [
        (None, {}),
        ({"value": 7}, {"adc/read": 7}),
        ({"0": "0.1", "1": {"mV": 3}}, {"adc/read.0": "0.1", "adc/read.1.mV": 3}),
        (3.5, {"adc/read": 3.5}),
    ],
)
async def test_results_are_read_as_parameters_are(
    result: object, channels: dict[str, object]
) -> None:
    told = await samples(command="adc/read", result=result)
    assert {each.channel: each.value for each in told} == channels


@pytest.mark.parametrize(
    "more",
    [
        *({"status": status} for status in (None, "Error", "running", "Erfolg")),
        *({"command": name} for name in ("valve/open", "read", "devices/read/all", "a/Read")),
    ],
)
async def test_other_results_are_no_samples(more: dict[str, Any]) -> None:
    assert await samples(**more) == []


async def test_which_commands_measure_is_a_setting() -> None:
    assert len(await samples({"measuring_commands": ["valve/*"]}, command="valve/open")) == 1
    assert await samples({"measuring_commands": []}) == []


async def test_a_result_without_an_update_was_measured_when_it_was_asked_for() -> None:
    [sample] = await samples(lastUpdated=None)
    assert sample.instant == CREATED
    [odd] = await samples(lastUpdated="soon")
    assert (odd.instant, odd.stated_instant) == (None, "soon")


async def asked_again(told: Told) -> Sequence[Said]:
    return await adapter().task_report(ToldApi({ONE: told}), FEED, TASK)


async def test_a_command_can_be_asked_for_by_itself() -> None:
    [told] = await asked_again(command(status="Error"))
    assert isinstance(told, TaskReport)
    assert (told.identity, told.state) == (IDENTITY, "failed")
    assert len(await asked_again(command(command="a/read"))) == 2


@pytest.mark.parametrize(
    "told", [Forbidden("", 404), command(timestamp="2026-03-04T06:00:00.000"), command(id=7)]
)
async def test_a_command_that_was_forgotten_is_gone(told: Told) -> None:
    assert await asked_again(told) == ()


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (Forbidden("", 403), Forbidden),
        (ServerFailed(""), ServerFailed),
        (RequestRefused("", 400), RequestRefused),
        (None, Malformed),
        ([command()], Malformed),
        ({"error": 500}, Malformed),
    ],
)
async def test_a_command_that_cannot_be_had_is_not_gone(told: Told, error: type[Exception]) -> None:
    with pytest.raises(error):
        await asked_again(told)
