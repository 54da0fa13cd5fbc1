"""What a sweep counts and tells of itself."""

from pathlib import Path

from fix_devicehive import hive
from fix_postgres import Database
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from switched import counted

from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.faults import Fault, refuse

READINGS = {"tenant": "acme", "stream": "readings"}
LAST_SUCCESS = "harvester_last_success_timestamp_seconds"
LISTED = "GET /api/rest/device/{device}/notification"


async def test_what_a_subscription_covers_is_counted_as_what_a_poll_does(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, Switches(), things=2, ingest="websocket") as it:
        await it.beats(2)
        polls = it.fake.requests[LISTED]
        windows = counted("windows", outcome="covered", **READINGS)
        assert all(await it.beats(3))
        assert it.fake.requests[LISTED] == polls
        feeds = await it.house.pool.fetchval(
            "select count(*) from harvester_data.feed where stream = 'readings'"
        )
        assert counted("windows", outcome="covered", **READINGS) == windows + 3 * feeds
        assert REGISTRY.get_sample_value(LAST_SUCCESS, READINGS) == it.clock.now().timestamp()


async def test_a_device_that_is_forbidden_in_one_stream_only_is_told_once(
    database: Database, tmp_path: Path
) -> None:
    with capture_logs() as logs:
        async with hive(database, tmp_path, Switches(), things=1) as it:
            await it.beats(1)
            device = next(iter(it.fake.tokens.site.devices))
            fault = it.fake.faults.add(Fault(f"{device}/notification", refuse(403), times=None))
            await it.beats(3)
            it.fake.faults.planned.remove(fault)
            await it.beats(1)
    feed = f"acme readings feed {device}"
    told = [(each["event"], each["what"]) for each in logs if device in str(each.get("what"))]
    assert told == [("failing", feed), ("well again", feed)]
