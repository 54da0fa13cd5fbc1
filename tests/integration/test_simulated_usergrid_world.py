"""What the things of the world write into the fake Usergrid, and what is true of it."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from simulated_usergrid import NOW, Play, playing

from harvester.simulator import things as models
from harvester.simulator.faults import Fault, Kind, cut, oversized
from harvester.simulator.uplinks import Habits
from harvester.simulator.usergrid_entities import Entity
from harvester.simulator.usergrid_quirks import Switches, cursor_again, entities_as, refused
from harvester.simulator.world import instant

APART = Habits(twins=0, late=0.2, corrected=0.2)
AT = datetime(2026, 3, 4, 9, tzinfo=UTC)
TS = 1772614800000  # the same


def by_second(facts: dict[tuple[str, str, datetime], float | str]) -> Counter[object]:
    """Values by device and instant, whatever the channels are called."""
    told = ((key[0], key[2].replace(microsecond=0), str(value)) for key, value in facts.items())
    return Counter(told)


async def test_what_things_measured_is_true_in_every_form() -> None:
    async with playing(habits=APART) as play:
        for _ in range(3):
            truth = play.fake.truth("acme")
            assert by_second(truth) == by_second(play.fake.world.truth("acme"))
            play.later(8 * 3600)
        channels = {channel for _, channel, _ in truth}
        assert {"temperature", "air.co2", "sensors.v.radio.rssi", "Met.pressure"} < channels
        assert {"volume", "sys:cpu;load Ä", "firmware", "leak"} < channels


@pytest.mark.parametrize(
    "switches",
    [Switches(drifts=True), Switches(batch=timedelta(minutes=15)), Switches(server="2.1.0")],
)
async def test_what_is_true_does_not_go_by_the_way_it_is_written(switches: Switches) -> None:
    async with playing(habits=APART) as plain, playing(switches, habits=APART) as play:
        # In batches it takes longer, and longer still with each correction.
        known = play.fake.truth("acme").items()
        before = NOW - timedelta(hours=20)
        early = {key: value for key, value in known if key[2] < before}
        assert early.items() <= plain.fake.truth("acme").items()
        assert len(early) > 1000


async def test_things_write_where_the_options_say() -> None:
    async with playing() as play:
        bearer = await play.login()
        things = {thing.model.name: thing for thing in play.acme.things if thing.active}
        (meter,) = (await play.read("meters", bearer, limit=1))["entities"]
        meters = things[models.WATER_METER.name].uuid
        assert meter["meter"]["id"] == meters
        assert 0 <= meter["created"] - 1000 * meter["read_at"] < 4000
        freezer = things[models.FREEZER.name].uuid
        (row,) = (await play.read(f"devices/{freezer}/sends/samples", bearer, limit=1))["entities"]
        assert row["at"].endswith("Z")
        assert {"temperature", "probe"} & row.keys()
        rows = (await play.read("readings", bearer, limit=1000))["entities"]
        assert {row["device"] for row in rows} >= {meters, things[models.DOOR.name].uuid}
        at = instant(rows[0]["ts"])
        assert (rows[0]["device"], at) in {key[::2] for key in play.fake.truth("acme")}


async def test_an_uplink_that_is_listed_twice_is_written_twice() -> None:
    async with playing(habits=Habits(repeated=1, twins=0)) as play:
        bearer = await play.login()
        rows = (await play.read("meters", bearer, limit=1000))["entities"]
        assert set(Counter(row["read_at"] for row in rows).values()) == {2}


async def test_a_correction_is_an_update_of_what_was_written() -> None:
    async with playing(habits=Habits(corrected=0.3)) as play:
        bearer = await play.login()
        rows = (await play.read("readings", bearer, limit=1000))["entities"]
        changed = [row for row in rows if row["modified"] > row["created"]]
        assert len(rows) // 10 < len(changed) < len(rows) // 2
        wanted = f"modified >= {max(row['modified'] for row in changed)}"
        play.later(1)
        (last, *_) = (await play.read("readings", bearer, ql=wanted))["entities"]
        assert last in rows


async def test_rows_of_a_batch_come_ten_within_a_millisecond() -> None:
    async with playing(Switches(batch=timedelta(hours=6))) as play:
        bearer = await play.login()
        rows = (await play.read("readings", bearer, limit=1000))["entities"]
        created = Counter(row["created"] for row in rows)
        assert max(created.values()) == 10
        batches = sorted({at // 1000 * 1000 for at in created})
        assert all((later - at) % 21_600_000 == 0 for at, later in pairwise(batches))


async def test_types_drift_from_row_to_row() -> None:
    async with playing(Switches(drifts=True)) as play:
        bearer = await play.login()
        rows = (await play.read("readings", bearer, limit=1000))["entities"]
        assert {type(row["temperature"]) for row in rows if "temperature" in row} == {float, str}
        assert {type(row["door"]) for row in rows if "door" in row} == {bool, int}


def held(play: Play) -> dict[str, float | str]:
    """What is true of one device and instant."""
    truth = play.fake.truth("acme").items()
    return {key[1]: value for key, value in truth if key[0] == "d" and key[2] == AT}


async def test_what_was_told_is_true_though_it_was_withdrawn() -> None:
    async with playing(things=0) as play:
        bearer, store = await play.login(), play.fake.store("acme")
        rows = play.put(*({"device": "d", "ts": TS, name: 1} for name in "abc"))
        now = play.fake.tokens.now_ms()
        store.delete(rows[0], now)
        assert held(play) == {"b": 1, "c": 1}
        await play.read("readings", bearer)
        store.delete(rows[1], now)
        store.update(rows[2], {"ts": TS + 1, "c": 2}, now)
        assert held(play) == {"b": 1, "c": 1}
        assert play.fake.truth("acme")["d", "c", instant(TS + 1)] == 2


async def test_what_was_deleted_on_its_way_to_somebody_is_true() -> None:
    async with playing(things=0) as play:
        bearer, store = await play.login(), play.fake.store("acme")
        play.put({"device": "d", "ts": TS, "a": 1})

        def delete(rows: Sequence[Entity]) -> None:
            for row in rows:
                store.delete(row, play.fake.tokens.now_ms())
            assert held(play) == {}

        play.fake.between_pages = delete
        await play.read("readings", bearer)
        assert held(play) == {"a": 1}


@pytest.mark.parametrize("kind", [cut(20), oversized(9999), refused(500, "runtime")])
async def test_what_never_arrived_or_was_a_mere_look_was_not_told(kind: Kind) -> None:
    async with playing(things=0) as play:
        bearer = await play.login()
        (row,) = play.put({"device": "d", "ts": TS, "a": 1})
        play.fake.faults.add(Fault("limit=5", kind))
        url, headers = (
            f"{play.fake.url}/acme/plant7/readings",
            {"Authorization": f"Bearer {bearer}"},
        )
        async with play.http.get(url, params={"limit": "5"}, headers=headers) as answer:
            await answer.content.readany()
        await play.read("readings", bearer, limit=1)
        assert held(play) == {"a": 1}
        play.fake.store("acme").delete(row, play.fake.tokens.now_ms())
        assert held(play) == {}


async def test_of_two_rows_of_one_instant_the_one_modified_last_holds() -> None:
    async with playing(things=0) as play:
        first, _ = play.put(*({"device": "d", "ts": TS, "a": value} for value in (1, "zwei")))
        assert held(play) == {"a": "zwei"}
        play.fake.store("acme").update(first, {"a": True}, play.fake.tokens.now_ms())
        assert held(play) == {"a": 1.0}


async def test_what_a_row_says_is_a_reading_only_where_it_says_whose_and_when() -> None:
    async with playing(things=0) as play:
        said = {"a": 1, "b": {"c": "2", "name": 3}, "d.e": "NaN", "l": [1], "x": None}
        beside = {"seq": 7, "name": "n", "type": "t", "metadata": {"m": 1}}
        rows: list[dict[str, object]] = [
            {"device": "d", "ts": TS} | said | beside,
            {"device": "d", "z": 1},
            {"device": "d", "ts": "soon", "z": 1},
            {"device": 7, "ts": TS, "z": 1},
            {"ts": TS, "z": 1},
        ]
        play.put(*rows)
        assert held(play) == {"a": 1.0, "b.c": 2.0, "b.name": 3.0, "d.e": "NaN"}
        assert len(play.fake.truth("acme")) == 4


@pytest.mark.parametrize(
    ("at", "values"),
    [
        ("2026-03-04T10:00:00+01:00", [1.0]),
        ("2026-03-04T09:00:00.000Z", [1.0]),
        ("2026-03-04T09:00:00", []),  # of which nobody knows when that was
        (TS, []),
    ],
)
async def test_a_sample_is_of_the_device_that_sends_it(at: object, values: list[float]) -> None:
    async with playing(things=0) as play:
        store, now = play.fake.store("acme"), play.fake.tokens.now_ms()
        device = store.put("devices", {"name": "d"}, now)
        row = store.put("samples", {"at": at, "a": 1}, now)
        assert play.fake.truth("acme") == {}
        store.connect(device, "sends", row, now)
        assert list(play.fake.truth("acme").items()) == [
            ((device.uuid, "a", AT), value) for value in values
        ]


async def test_an_answer_may_lead_nowhere() -> None:
    async with playing(things=0) as play:
        bearer = await play.login()
        play.put(*range(9))
        play.fake.faults.add(Fault("cursor=", cursor_again()))
        play.fake.faults.add(Fault("limit=4", entities_as("null")))
        play.fake.faults.add(Fault("limit=4", entities_as("absent")))
        page = await play.read("readings", bearer, limit=3)
        again = await play.read("readings", bearer, limit=3, cursor=page["cursor"])
        assert again["cursor"] == page["cursor"]
        assert "entities" not in await play.read("readings", bearer, limit=4)
        page = await play.read("readings", bearer, limit=4)
        assert (len(page["entities"]), "list" in page) == (4, False)
        play.fake.faults.add(Fault("limit=4", entities_as("list")))
        page = await play.read("readings", bearer, limit=4)
        assert (len(page["list"]), "entities" in page) == (4, False)
