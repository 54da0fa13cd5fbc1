"""Coiote: task reports that are too many, or too large, to be told at once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from told import Told, ToldApi
from told_coiote import HOUR, NOW, ROOT, adapter, stamp

from harvester.errors import RequestRefused, TooLarge, Truncated
from harvester.model import Feed, TaskReport, Window
from harvester.platforms.coiote.changes import LIMIT

MS = timedelta(milliseconds=1)
SINCE = f"{ROOT}taskReports/findSince"


def row(number: int, ms: int) -> dict[str, str]:
    at = stamp(NOW + ms * MS)
    return {"taskId": f"d:x:{number:04}", "deviceId": "a", "lastUpdateTime": at}


def platform(
    rows: list[dict[str, str]], most: int, refusal: Exception
) -> Callable[[dict[str, Any]], object]:
    """Answers no question for more reports than `most`."""

    def answer(params: dict[str, Any]) -> object:
        later = [each for each in rows if each["lastUpdateTime"] > params["lastUpdateTime"]]
        return refusal if params["limit"] > most else later[: params["limit"]]

    return answer


async def told(answer: Told) -> tuple[int, bool, int]:
    """How many reports, whether they are told to be all, and in how many answers."""
    api, found, is_all = ToldApi({SINCE: answer}), set[str](), True
    feed = Feed("task_reports", "task reports of ana")
    try:
        async for batch in adapter().task_reports(api, feed, Window(NOW, NOW + HOUR)):
            found |= {each.task for each in batch if isinstance(each, TaskReport)}
    except Truncated:
        is_all = False
    return len(found), is_all, len(api.asked)


@pytest.mark.parametrize("refusal", [RequestRefused("x", 400), TooLarge("x")])
async def test_where_no_more_can_be_asked_for_at_once_what_came_after_is_had(
    refusal: Exception,
) -> None:
    rows = [*(row(number, 5) for number in range(LIMIT + 1)), row(9000, 9)]
    count, is_all, _ = await told(platform(rows, LIMIT, refusal))
    assert (count, is_all) == (LIMIT + 1, False)
    with pytest.raises(type(refusal)):
        await told(refusal)


@pytest.mark.parametrize(("crowd", "expected"), [(1, (700, True)), (100, (7 * 64, False))])
async def test_reports_that_are_too_large_together_are_asked_for_a_few_at_a_time(
    crowd: int, expected: tuple[int, bool]
) -> None:
    rows = [row(number, 5 + number // crowd) for number in range(700)]
    count, is_all, asked = await told(platform(rows, 70, TooLarge("x")))
    assert (count, is_all) == expected and asked < 40
