"""What the fake DeviceHive's devices send is the same for all, in all known forms, and true."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from harvester.simulator.clock import HandClock
from harvester.simulator.curves import DAY_MS
from harvester.simulator.devicehive_leaves import leaves, of_notification
from harvester.simulator.devicehive_tasks import Task, tasks_of_day
from harvester.simulator.devicehive_world import FORMS, Sent, notifications, said, sent
from harvester.simulator.tenants import Thing
from harvester.simulator.things import REPORTING
from harvester.simulator.uplinks import Habits
from harvester.simulator.world import World, millis

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
DAY = millis(NOW) // DAY_MS
CROWDED = Habits(twins=0.3, repeated=0.2, corrected=0.2)


def world() -> World:
    return World(7, HandClock(NOW), NOW - timedelta(days=2), habits=CROWDED)


def all_sent() -> Iterator[Sent]:
    it = world()
    for thing in it.things("acme"):
        yield from sent(thing, it.uplinks(thing, DAY))


def all_tasks(rate: float = 1) -> Iterator[Task]:
    for thing in world().things("acme"):
        yield from tasks_of_day(7, thing, DAY, rate)


def test_what_is_written_down_beside_a_notification_is_what_stands_in_it() -> None:
    told = [each for it in all_sent() for each in said(it)]
    assert len(told) > 1000
    for each in told:
        assert dict(each.readings) == dict(of_notification(each.name, each.parameters)), each


def test_every_model_speaks_and_all_forms_are_spoken() -> None:
    assert FORMS.keys() == {model.name for model in REPORTING}
    told = [each for it in all_sent() for each in said(it)]
    members = [member for each in told for member in (each.parameters or {}).items()]
    assert {type(value) for _, value in members} == {int, float, str, dict, list}
    assert {type(value) for each in told for _, value in each.readings} == {int, float, str, bool}
    assert {"value", "Value", "equipment", "state", "SensorTag"} <= {key for key, _ in members}
    beside = Counter(str(each.parameters) for each in told if not each.readings)
    assert beside.keys() == {"None", "{}"} and all(beside.values())


def test_a_single_value_bears_the_name_alone_and_other_leaves_their_path() -> None:
    assert list(leaves("t", {"value": 1})) == [("t", 1)]
    assert list(leaves("t", {"Value": "1"})) == [("t", "1")]
    assert list(leaves("t", {"value": 1, "at": 2})) == [("t.value", 1), ("t.at", 2)]
    assert list(leaves("t", {"a": {"b": [None, True]}})) == [("t.a.b.1", True)]
    told = {"equipment": "temp-1", "temperature": 21.5}
    assert list(of_notification("equipment", told)) == [("temp-1.temperature", 21.5)]
    assert list(of_notification("$device-add", {"id": "x"})) == []


def test_one_seed_makes_the_same_messages_with_ids_in_no_order() -> None:
    def made(seed: int) -> list[tuple[int, int, str]]:
        each = (n for it in all_sent() for n in notifications(seed, 2**31, it, "device", 1))
        return [(n.id, n.timestamp, n.name) for n in each]

    assert made(7) == made(7)
    ids = [identifier for identifier, *_ in made(7)]
    assert len(set(ids)) == len(ids) and sorted(ids) != ids and max(ids) > 2**30
    assert [rest for _, *rest in made(7)] == [rest for _, *rest in made(8)]
    assert set(ids).isdisjoint(identifier for identifier, *_ in made(8))


def test_of_one_instant_what_comes_later_has_greater_ids() -> None:
    highest: dict[tuple[Thing, int], tuple[int, int]] = {}
    met = 0
    for it in all_sent():
        ids = [each.id for each in notifications(7, 2**31, it, "device", 1)]
        before = highest.get((it.thing, it.ms))
        if before and ids:
            met += 1
            assert before[0] <= it.at_ms and before[1] < min(ids)
        if ids:
            highest[it.thing, it.ms] = (it.at_ms, max(ids))
    assert met > 50


def test_a_repeated_message_is_sent_twice_under_two_ids() -> None:
    twice = [it for it in all_sent() if it.copies == 2]
    for it in twice:
        made = list(notifications(7, 2**31, it, "device", 1))
        assert len(made) == 2 * len(list(said(it))) == len({each.id for each in made})
    assert twice


def test_commands_go_unanswered_or_are_answered_once_or_again_in_words_of_all_kinds() -> None:
    tasks = list(all_tasks())
    assert {len(task.answers) for task in tasks} == {0, 1, 2}
    words = {answer.status for task in tasks for answer in task.answers}
    assert {"OK", "Ok", "success", "Error", "Unknown command", "fertig"} <= words
    assert {answer.result is None for task in tasks for answer in task.answers} == {True, False}
    for task in tasks:
        instants = [task.at_ms, *(answer.at_ms for answer in task.answers)]
        assert instants == sorted(set(instants))


def test_what_a_command_measured_stands_in_its_only_answer() -> None:
    measuring = [task for task in all_tasks() if task.name.endswith("/read")]
    assert {task.name for task in measuring} == {
        "devices/ds18b20/read",
        "devices/bmp180/read",
        "adc/read",
    }
    for task in measuring:
        assert len(task.answers) <= 1
        for answer in task.answers:
            expected = dict(leaves(task.name, answer.result)) if answer.status != "Error" else {}
            assert dict(answer.readings) == expected
    assert sum(bool(answer.readings) for task in measuring for answer in task.answers) > 20


def test_commands_come_as_often_as_is_wished_at_the_pace_of_the_thing() -> None:
    usual, rare = len(list(all_tasks(1))), len(list(all_tasks(0.1)))
    assert 7 < usual / rare < 14 and list(all_tasks(0)) == []
