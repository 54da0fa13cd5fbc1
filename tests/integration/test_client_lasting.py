"""The client against a real server: a 5xx of which the adapter knows that it lasts."""

import pytest
from exchanged import Answer, cut, raw, said, talking

from harvester.errors import RequestRefused, ServerFailed, Throttled

LASTING = {"message": "Device monitoring is not enabled", "code": 5031}


def lasts(body: object) -> bool:
    return isinstance(body, dict) and body.get("code") == 5031


async def test_a_refusal_that_lasts_is_not_asked_for_again() -> None:
    async with talking(said(503, LASTING), said(200), is_lasting=lasts) as talk:
        with pytest.raises(RequestRefused) as caught:
            await talk.get()
        assert (caught.value.status, caught.value.body, len(talk.asked)) == (503, LASTING, 1)
        assert "monitoring" not in str(caught.value), "a body may repeat what was sent"


@pytest.mark.parametrize("answer", [said(503, {"code": 5030}), said(500), raw("<h1>", status=502)])
async def test_any_other_5xx_is_a_passing_trouble(answer: Answer) -> None:
    async with talking(answer, said(200, 7), is_lasting=lasts) as talk:
        assert await talk.get() == 7
        assert len(talk.asked) == 2


async def test_one_that_asks_for_patience_gets_it_all_the_same() -> None:
    patient = said(503, {"code": 5030}, Retry_After="3600")
    async with talking(patient, is_lasting=lasts) as talk:
        with pytest.raises(Throttled):
            await talk.get()


async def test_a_call_that_is_no_read_is_judged_by_its_status() -> None:
    async with talking(said(503, LASTING), cut, is_lasting=lasts) as talk:
        with pytest.raises(ServerFailed):
            await talk.client.post_once("/x", json={})
