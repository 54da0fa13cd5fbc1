"""Coiote: how paths are spelled, and what a proxy makes of them."""

import pytest
from told import ToldApi

from harvester.errors import Forbidden, RequestRefused, ServerFailed
from harvester.platforms.coiote.asking import Asking

ROOT = "/api/coiotedm/v3/"
PARTS = ("deviceMonitoring", "data", "urn:imei:1", "resourceUrl", "/3303/0/5700")
ENCODED = f"{ROOT}deviceMonitoring/data/urn%3Aimei%3A1/resourceUrl/%2F3303%2F0%2F5700"
RAW = f"{ROOT}deviceMonitoring/data/urn:imei:1/resourceUrl//3303/0/5700"
CODED = {"message": "No", "code": 4041}


@pytest.mark.parametrize("refusal", [Forbidden("p", 404), RequestRefused("p", 400, "<h1>")])
async def test_where_no_encoded_path_passes_the_plain_one_is_taken_from_then_on(
    refusal: Exception,
) -> None:
    api, asking = ToldApi({ENCODED: refusal, RAW: 1}), Asking()
    assert [await asking.get(api, *PARTS) for _ in range(2)] == [1, 1]
    assert [path for path, _ in api.asked] == [ENCODED, RAW, RAW]


async def test_an_answer_to_an_encoded_path_settles_it() -> None:
    api, asking = ToldApi({ENCODED: 1, RAW: 1}), Asking()
    await asking.get(api, *PARTS)
    api.answers = {ENCODED: Forbidden("p", 404), RAW: 1}
    with pytest.raises(Forbidden):
        await asking.get(api, *PARTS)
    assert RAW not in [path for path, _ in api.asked]


@pytest.mark.parametrize(
    "refusal", [Forbidden("p", 404, CODED), Forbidden("p", 403), ServerFailed("p")]
)
async def test_what_the_platform_itself_refuses_is_not_asked_for_in_another_way(
    refusal: Exception,
) -> None:
    api = ToldApi({ENCODED: refusal, RAW: 1})
    with pytest.raises(type(refusal)):
        await Asking().get(api, *PARTS)
    assert [path for path, _ in api.asked] == [ENCODED]


async def test_where_neither_passes_the_first_refusal_tells_and_nothing_is_settled() -> None:
    first = Forbidden("first", 404)
    api, asking = ToldApi({ENCODED: first, RAW: Forbidden("second", 404)}), Asking()
    with pytest.raises(Forbidden, match="first"):
        await asking.get(api, *PARTS)
    api.answers = {ENCODED: first, RAW: Forbidden("third", 404, CODED)}
    with pytest.raises(Forbidden, match="third"):
        await asking.get(api, *PARTS)
    assert len(api.asked) == 4
    with pytest.raises(Forbidden, match="third"):
        await asking.get(api, *PARTS)
    assert api.asked[4:] == [(RAW, {})], "the platform itself answered to it"


async def test_a_parameter_may_be_given_several_times() -> None:
    path = f"{ROOT}cachedDataModels/a%20b?parameters=Location.&parameters=On%2FOff%20switch.0."
    api = ToldApi({path: []})
    await Asking().get(api, "cachedDataModels", "a b", each=("Location.", "On/Off switch.0."))
    assert [path for path, _ in api.asked] == [path]


async def test_a_name_that_no_url_can_hold_is_asked_for_as_one_that_nothing_has() -> None:
    api, asking = ToldApi({}), Asking()
    for parts in [("devices", "a\ud800"), PARTS]:
        with pytest.raises(Forbidden):
            await asking.get(api, *parts, each=("\ud800",))
    asked = [path for path, _ in api.asked]
    assert asked == [f"{ROOT}devices/a%3F?parameters=%3F", f"{ENCODED}?parameters=%3F"]
