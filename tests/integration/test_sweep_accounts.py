"""Discovery of what there is to pull: no account and no stream costs another what is its own."""

from datetime import timedelta
from pathlib import Path

from aiohttp import web
from fix_devicehive import Hive, hive
from fix_postgres import Database
from fix_simulator import HISTORY, Play
from simulated_devicehive import payload

from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.devicehive_site import Account
from harvester.simulator.faults import Fault, hang

LIST = "/api/rest/device"


def discoveries_hang(it: Hive, account: Account) -> None:
    def asks(request: web.Request) -> bool:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return request.path == LIST and payload(bearer).get("u") == account.id

    it.fake.faults.add(Fault(asks, hang(), times=None))


def seen_by(it: Hive, account: Account) -> set[str]:
    devices = it.fake.tokens.site.devices.values()
    return {each.id for each in devices if each.network in account.networks}


async def test_accounts_whose_discovery_hangs_cost_the_others_nothing(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, Switches(commands=0)) as it:
        accounts = it.fake.tokens.site.accounts
        others = [accounts[each.name] for each in it.fake.world.users("acme")]
        for _ in range(2):
            discoveries_hang(it, others.pop())
        await it.beats(3)
        devices = set().union(*(seen_by(it, each) for each in others))
        truth = {key: value for key, value in it.truth().items() if key[0] in devices}
        assert len(truth) > 10
        assert (await it.held(), await it.lost()) == (truth, {})


async def test_who_comes_first_to_discover_cuts_nobodys_history(play: Play) -> None:
    for tenant in play.tenants:
        assert await tenant.tick("task_reports")
        assert await tenant.tick("readings")
    held = await play.held()
    assert held == play.published()
    assert play.clock.now() - min(key[3] for key in held) > HISTORY - timedelta(hours=1)
