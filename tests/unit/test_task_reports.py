"""What becomes of what a platform says of a task: a report that can be stored, or a rejection."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from fix_store import T0, at
from hypothesis import given, strategies as st
from reported import report
from samples import MICROSECOND

from harvester.model import Rejection, TaskReport
from harvester.storable import EARLIEST, FURTHEST_AHEAD, LONGEST_NAME
from harvester.task_reports import DEEPEST, LARGEST, LONGEST_IDENTITY, normalize

NOW, THEN = T0, at(-5)


def kept(**said: Any) -> TaskReport:
    [one], rejections = normalize([report(**said)], NOW)
    assert rejections == []
    return one


def refused(**said: Any) -> Rejection:
    reports, [rejection] = normalize([report(**said)], NOW)
    assert reports == []
    return rejection


def nested(levels: int) -> object:
    said: object = 1
    for level in range(levels):
        said = [said] if level % 2 else {"n": said}
    return said


def test_what_can_be_stored_is_kept_as_it_was_said() -> None:
    said: dict[str, Any] = {
        "state": "succeeded",
        "stated_state": "Ok",
        "created_at": THEN,
        "started_at": EARLIEST,
        "finished_at": NOW + FURTHEST_AHEAD,
        "result": {"b": [1, 2.5, True, None, "ü\U0001f321"], "a": {}},
        "details": "text",
    }
    assert kept(**said) == report(**said)
    assert kept(device=None) == report(device=None)


def test_names_are_kept_whole_up_to_their_longest() -> None:
    identity, name = "ü" * LONGEST_IDENTITY, "ü" * LONGEST_NAME
    said: dict[str, Any] = {"task": name, "kind": name, "device": name}
    assert kept(identity=identity, **said) == report(identity, **said)
    assert kept(kind="") == report(kind="")


@pytest.mark.parametrize("name", ["n" * (LONGEST_IDENTITY + 1), "a\0b", "\ud800", ""])
@pytest.mark.parametrize("part", ["identity", "task", "device"])
def test_a_report_that_cannot_be_named_is_rejected(part: str, name: str) -> None:
    assert refused(**{part: name}).reason == f"no_{part}"


@pytest.mark.parametrize("kind", ["n" * (LONGEST_NAME + 1), "a\0b", "\ud800"])
def test_a_kind_that_cannot_be_stored_is_no_kind(kind: str) -> None:
    assert refused(kind=kind, device=None).reason == "no_kind"


def test_a_rejection_tells_of_which_report_it_is() -> None:
    too_long = "one/7" * LONGEST_IDENTITY
    rejection = refused(identity=too_long, kind="a\0b", created_at=THEN)
    assert rejection == Rejection("one", "a\\0b", "no_identity", THEN.isoformat(), too_long[:1000])


@pytest.mark.parametrize("name", ["created_at", "started_at", "finished_at", "updated_at"])
@pytest.mark.parametrize(
    "instant",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        EARLIEST - MICROSECOND,
        NOW + FURTHEST_AHEAD + MICROSECOND,
    ],
)
def test_an_instant_that_no_working_clock_tells_is_left_out(name: str, instant: datetime) -> None:
    said: dict[str, Any] = {name: instant}
    assert getattr(kept(**said), name) is None


def test_a_state_without_end_is_kept_by_its_beginning() -> None:
    assert kept(stated_state="s" * 5000).stated_state == "s" * LONGEST_NAME
    assert kept(stated_state="a\0\ud83cb").stated_state == "a\\0\\ud83cb"


@pytest.mark.parametrize(
    ("said", "made"),
    [
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        pytest.param(10**5000, "<int>", id="endless"),
        pytest.param(10**4095, 10**4095, id="long"),
        ("a\0b", "a\\0b"),
        ("\ud83c", "\\ud83c"),
        ({"a\0": [{"\ud800": math.inf}]}, {"a\\0": [{"\\ud800": "Infinity"}]}),
        ((1, (2,)), [1, [2]]),
        (b"x", "\"b'x'\""),
    ],
)
def test_what_jsonb_does_not_take_is_spelled_out(said: object, made: object) -> None:
    one = kept(result=said, details=[said])
    assert (one.result, one.details) == (made, [made])


def test_of_two_names_that_become_one_it_is_always_the_same_that_holds() -> None:
    said = {"a\0": 1, "a\\0": 2}
    assert kept(result=said) == kept(result=dict(reversed(said.items())))


def test_a_result_is_kept_whole_up_to_its_largest() -> None:
    whole = "ü" * ((LARGEST - 2) // 2)  # two quotation marks
    assert kept(result=whole).result == whole
    assert (
        kept(result=whole + "u").result == "ü" * 1000 + f" … (the beginning of {LARGEST + 1} bytes)"
    )
    many = {f"{n:04}": n for n in reversed(range(6000))}
    assert str(kept(result=many).result).startswith('{"0000": 0, "0001": 1, ')


def test_a_result_is_kept_whole_down_to_its_deepest() -> None:
    assert kept(result=nested(DEEPEST)).result == nested(DEEPEST)
    told = str(kept(result=nested(DEEPEST + 1)).result)
    assert told.startswith('{"n": [{"n"')
    assert told.endswith("… (nested too deep to be kept)")
    assert kept(details=nested(50_000)).details == "<list> … (nested too deep to be kept)"


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (report(updated=-9, finished_at=NOW), report(updated=-8)),
        (report(result="z"), report(updated=-9)),
        (report(updated=-9, state="succeeded"), report(updated=-9, finished_at=THEN)),
        (report(), report(state="failed")),
        (report(result=1), report(result=2)),
    ],
    ids=["updated later", "updated at all", "finished", "over", "of no meaning"],
)
def test_of_two_reports_of_one_identity_the_newer_one_holds(
    older: TaskReport, newer: TaskReport
) -> None:
    other = report("another")
    for said in ([older, other, newer], [newer, other, older]):
        found, rejections = normalize(said, NOW)
        assert {each.identity: each for each in found} == {"one/7": newer, "another": other}
        assert rejections == []


def test_an_update_at_an_instant_that_cannot_be_true_is_not_the_newest() -> None:
    ahead = report(updated_at=datetime(2099, 1, 1, tzinfo=UTC))
    assert normalize([ahead, report(updated=-9)], NOW)[0] == [report(updated=-9)]


NEAR = st.builds(
    report,
    identity=st.sampled_from(["a", "b"]),
    updated=st.sampled_from([None, -9, -8]),
    state=st.sampled_from(["pending", "succeeded"]),
    finished_at=st.sampled_from([None, THEN]),
    result=st.sampled_from([None, 1, {"x": 1, "y": [1]}, {"y": [1], "x": 1}]),
)


@given(st.data(), st.lists(NEAR, max_size=6))
def test_the_order_in_which_reports_come_decides_nothing(
    data: st.DataObject, said: list[TaskReport]
) -> None:
    reordered = data.draw(st.permutations(said))
    found, again = (normalize(each, NOW)[0] for each in (said, reordered))
    assert {each.identity: each for each in found} == {each.identity: each for each in again}
    assert len(found) == len({each.identity for each in said})
