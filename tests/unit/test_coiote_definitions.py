"""Coiote: what is known of objects by their definitions, and what is not."""

import pytest
from structlog.testing import capture_logs
from told import ToldApi
from told_coiote import DEFINITIONS, ROOT, adapter, count, device, keys, listed, sensor

from harvester.platforms.coiote.devices import MOST_ILL

UNITS = "?parameters=Temperature.0."
TEXTS = {
    "id": 26241,
    "name": "Texts",
    "resourceDefinitions": [{"id": 1, "name": "Text", "operations": ["Read"], "type": "String"}],
}


async def test_one_device_that_may_not_be_defined_does_not_hide_what_others_define() -> None:
    many = [f"{n}" for n in range(9)]
    answers = listed(*(device(name, objects="/26241/0") for name in many))
    told = ToldApi(answers | {f"{DEFINITIONS}1": [TEXTS]})
    assert await keys(adapter(objects=[26241]), told) == [f"{name} /26241/0/1" for name in many[1:]]
    told = ToldApi(answers)
    assert await keys(adapter(objects=[26241]), told) == []
    assert sum(path.startswith(DEFINITIONS) for path, _ in told.asked) == MOST_ILL + 1


async def test_an_object_that_is_defined_later_is_found_then() -> None:
    it, told = adapter(objects=[26241]), ToldApi(listed(device("a", objects="/26241/0")))
    told.answers = {**told.answers, f"{DEFINITIONS}a": []}
    assert await keys(it, told) == []
    told.answers = {**told.answers, f"{DEFINITIONS}a": [TEXTS]}
    assert await keys(it, told) == ["a /26241/0/1"]


@pytest.mark.parametrize(
    ("kind", "undefined"), [("Single", []), ("Multiple", ["3/0/7"]), ("", ["3/0/7"])]
)
async def test_a_latest_value_that_cannot_be_asked_for_is_told(
    kind: str, undefined: list[str]
) -> None:
    row = {"id": 7, "name": "Voltage", "operations": ["Read"], "instanceType": kind}
    answers = listed(device("a", objects="/3/0,/3303/0"))
    if kind:
        answers[f"{DEFINITIONS}a"] = [{"id": 3, "name": "Device", "resourceDefinitions": [row]}]
    answers[f"{ROOT}cachedDataModels/a{UNITS}"] = [{"name": "Temperature.0.Sensor Units"}]
    with capture_logs() as logs:
        await keys(adapter(latest=["3/0/7", "3/0/9"]), ToldApi(answers))
    assert [each["resources"] for each in logs if "resources" in each] == [undefined] * bool(
        undefined
    )


@pytest.mark.parametrize("more", [{"operations": 5}, {"id": [1]}])
@pytest.mark.parametrize("of_resource", [True, False])
async def test_a_definition_out_of_shape_costs_no_device(
    more: dict[str, object], of_resource: bool
) -> None:
    resource = {"id": 1, "name": "Text", "operations": ["Read"], "type": "String"}
    told = [{**TEXTS, "resourceDefinitions": [{**resource, **more}]}]
    if not of_resource:
        told = [{**TEXTS, **more}, {"id": {}}]
    answers = listed(device("a", objects="/26241/0,/3303/0")) | {f"{DEFINITIONS}a": told}
    found = await keys(adapter(objects=[26241]), ToldApi(answers))
    assert "a /3303/0/5700" in found


async def test_positions_of_an_older_location_object_are_read() -> None:
    numbers = (5514, 5515, 5516, 5705)
    rows = [{"id": n, "name": str(n), "operations": ["Read"], "type": "String"} for n in numbers]
    answers = listed(device("a", objects="/3336/0"))
    answers[f"{DEFINITIONS}a"] = [{"id": 3336, "name": "Location", "resourceDefinitions": rows}]
    assert await keys(adapter(), ToldApi(answers)) == [f"a /3336/0/{n}" for n in numbers]


async def test_what_is_forgotten_of_a_device_is_asked_for_again_when_it_is_back() -> None:
    it, path = adapter(), f"{ROOT}cachedDataModels/a{UNITS}"
    units = [{"name": "Temperature.0.Sensor Units", "value": "K"}]
    told = ToldApi(listed(sensor("a")) | {path: units})
    for _ in range(3):
        await keys(it, told)
    assert count(told, path) == 1
    told.answers = {**told.answers, **listed(sensor("b"))}
    for _ in range(2):
        await keys(it, told)
    told.answers = {**told.answers, **listed(sensor("a"))}
    await keys(it, told)
    assert count(told, path) == 2


async def test_a_refusal_of_one_definition_in_a_row_of_answers_is_forgiven() -> None:
    devices = [device(f"{n}", objects=f"/{3300 + n}/0") for n in (1, 3, 4, 15, 16, 17, 18)]
    told = ToldApi(listed(*devices) | {f"{DEFINITIONS}{n}": [] for n in (4, 16)})
    await keys(adapter(), told)
    asked = [path for path, _ in told.asked if path.startswith(DEFINITIONS)]
    assert len(asked) == len(devices)
