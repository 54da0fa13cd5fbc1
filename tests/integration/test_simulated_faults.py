"""Planned faults alter the fake's answers and leave the world alone."""

import json
import re

import pytest
from simulated import NOW, SINCE, playing

from harvester.simulator import faults
from harvester.simulator.faults import Fault
from harvester.simulator.mydevices_quirks import BadReading, Switches, bad_reading
from harvester.simulator.world import millis


async def test_a_fault_befalls_whom_it_matches_as_often_as_planned() -> None:
    async with playing() as play:
        access, room, door = await play.login(), play.thing("Cold room"), play.thing("Door")
        path = "/v1.0/things/{}/readings"
        window = {"start_ts": millis(SINCE), "end_ts": millis(NOW)}
        before = await play.readings(room, access)
        forbidden = play.fake.faults.add(Fault(match=room.uuid, kind=faults.refuse(403), times=2))
        play.fake.faults.add(Fault(match=re.compile(r"end_ts=7$"), kind=faults.refuse(503)))
        for _ in range(2):
            status, body = await play.get(path.format(room.uuid), access, **window)
            assert (status, body["error"]) == (403, "Forbidden")
            await play.readings(door, access)
        assert await play.readings(room, access) == before and forbidden.fired == 2
        assert (await play.get(path.format(door.uuid), access, start_ts=0, end_ts=7))[0] == 503
        play.fake.faults.add(Fault(lambda request: request.method == "GET", faults.refuse(401)))
        status, body = await play.get("/companies", access)
        assert (status, body["message"]) == (401, "Invalid credentials")


async def test_a_page_for_people_or_far_too_many_bytes_come_instead() -> None:
    async with playing() as play:
        headers = {"Authorization": f"Bearer {await play.login()}"}
        url = play.fake.url + "/companies"
        play.fake.faults.add(Fault("/companies", faults.html_page()))
        async with play.http.get(url, headers=headers) as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
            assert (await answer.text()).startswith("<!doctype html>")
        play.fake.faults.add(Fault("/companies", faults.oversized(3_000_000)))
        async with play.http.get(url, headers=headers) as answer:
            assert len(await answer.read()) == 3_000_000
            assert len(await answer.json()) == 2


async def test_an_answer_held_back_is_of_a_call_already_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with playing(Switches(rotate=True)) as play:
        _, body = await play.token(play.login_form())
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            assert play.fake.tokens.bearer(f"Bearer {body['access_token']}").newest != old

        old = body["refresh_token"]
        monkeypatch.setattr(faults, "sleep", sleep)
        play.fake.faults.add(Fault("/oauth/token", faults.delay(30)))
        assert (await play.token(play.refresh_form(old)))[0] == 200
        assert waits == [30]


@pytest.mark.parametrize(
    ("which", "reading"),
    [
        ("null", '{"ts": START, ID, "sensors": [{"v": null, "channel": "3"}]}'),
        ("nan", '{"ts": START, ID, "sensors": [{"v": NaN, "channel": "3"}]}'),
        ("structure", '{"ts": START, ID, "sensors": [{"v": {"image": [{}]}, "channel": "3"}]}'),
        ("in_1970", '{"ts": 86400000, ID, "sensors": [{"v": 21.5, "channel": "3"}]}'),
        ("in_2099", '{"ts": 4083955200000, ID, "sensors": [{"v": 21.5, "channel": "3"}]}'),
        ("no_instant", '{ID, "sensors": [{"v": 21.5, "channel": "3"}]}'),
        ("text_instant", '{"ts": "yesterday", ID, "sensors": [{"v": 21.5, "channel": "3"}]}'),
        ("no_channel", '{"ts": START, ID, "sensors": [{"v": 21.5}]}'),
    ],
)
async def test_one_bad_reading_stands_among_the_good_ones(which: BadReading, reading: str) -> None:
    bad = reading.replace("START", str(millis(SINCE))).replace(
        "ID", '"correlation_id": "ffffffff-ffff-4fff-bfff-ffffffffffff"'
    )
    async with playing() as play:
        access, room = await play.login(), play.thing("Cold room")
        good = (await play.readings(room, access))["readings"]
        play.fake.faults.add(Fault("/readings", bad_reading(which)))
        path = f"/v1.0/things/{room.uuid}/readings?start_ts={millis(SINCE)}&end_ts={millis(NOW)}"
        headers = {"Authorization": f"Bearer {access}"}
        async with play.http.get(play.fake.url + path, headers=headers) as answer:
            text = await answer.text()
        assert text.count(bad) == 1
        readings = json.loads(text.replace(f"{bad}, ", ""))["readings"]
        assert readings == good
