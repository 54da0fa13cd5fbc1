"""The fake's newer switches do what they say, before anybody who could handle it."""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from aiohttp import ClientPayloadError
from simulated import NOW, Play, playing

from harvester.simulator import faults
from harvester.simulator.faults import Fault, Kind
from harvester.simulator.mydevices_quirks import Switches
from harvester.simulator.world import millis

HOUR = timedelta(hours=1)


async def companies(play: Play, access: str) -> tuple[int, dict[str, str], str]:
    headers = {"Authorization": f"Bearer {access}"}
    async with play.http.get(f"{play.fake.url}/companies", headers=headers) as answer:
        return answer.status, dict(answer.headers), await answer.text()


@pytest.mark.parametrize(
    ("asked", "said"),
    [(timedelta(seconds=90), "90"), (NOW + HOUR, "Wed, 04 Mar 2026 11:30:00 GMT")],
)
async def test_a_throttle_asks_for_patience_in_either_form(
    asked: timedelta | datetime, said: str
) -> None:
    async with playing() as play:
        access = await play.login()
        play.fake.faults.add(Fault("/companies", faults.throttle(asked)))
        status, headers, body = await companies(play, access)
        assert (status, headers["Retry-After"]) == (429, said)
        assert "Too Many Requests" in body


async def test_a_dripping_answer_is_the_honest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(faults, "sleep", sleep)
    async with playing() as play:
        access = await play.login()
        _, _, honest = await companies(play, access)
        play.fake.faults.add(Fault("/companies", faults.drip(10, 0.5)))
        assert (await companies(play, access))[2] == honest
        assert waits == [0.5] * -(-len(honest.encode()) // 10)


@pytest.mark.parametrize("kind", [faults.cut(0), faults.cut(20), faults.cut(10**9)])
async def test_a_cut_answer_ends_before_its_last_byte(kind: Kind) -> None:
    async with playing() as play:
        access = await play.login()
        play.fake.faults.add(Fault("/companies", kind))
        with pytest.raises(ClientPayloadError):
            await companies(play, access)


@pytest.mark.parametrize("skew", [-HOUR, HOUR])
async def test_a_skewed_clock_dates_answers_and_decides_what_is_published(
    skew: timedelta,
) -> None:
    async with playing(Switches(clock_skew=skew)) as play:
        access = await play.login()
        _, headers, _ = await companies(play, access)
        assert parsedate_to_datetime(headers["Date"]) == NOW + skew
        body = await play.readings(play.thing("Cold room"), access, end=NOW + 2 * HOUR)
        newest = max(reading["ts"] for reading in body["readings"])
        assert millis(NOW + skew - HOUR) < newest <= millis(NOW + skew)


async def test_a_revoked_token_is_refused_and_its_session_goes_on() -> None:
    async with playing() as play:
        _, body = await play.token(play.login_form())
        other = await play.login(play.tenant.users[1])
        play.fake.revoke(play.ana.name)
        assert (await play.get("/companies", body["access_token"]))[0] == 401
        assert (await play.get("/companies", other))[0] == 200
        status, renewed = await play.token(play.refresh_form(body["refresh_token"]))
        assert status == 200
        assert (await play.get("/companies", renewed["access_token"]))[0] == 200


async def test_a_shuffled_answer_is_cut_anywhere() -> None:
    async with playing() as honest, playing(Switches(shuffled=True, page_cap=30)) as play:
        room = play.thing("Cold room")
        whole = (await honest.readings(room, await honest.login()))["readings"]
        some = (await play.readings(room, await play.login()))["readings"]
        instants = [reading["ts"] for reading in some]
        assert len(some) == 30
        assert all(reading in whole for reading in some)
        assert instants not in (sorted(instants), sorted(instants, reverse=True))
        newest = sorted(reading["ts"] for reading in whole)[-30:]
        assert set(instants) != set(newest)
