"""What becomes of reads that meet with trouble: it is told, and costs no more than it must."""

import pytest
from befallen import TROUBLE, Trouble, among, endured
from brought import busiest, held, of, pulled
from fix_platforms import HISTORY, NOW, Stage, login

from harvester import channels, platforms
from harvester.auth import AccountApi
from harvester.errors import Forbidden
from harvester.model import Sample
from harvester.simulator.faults import Fault, refuse

PLATFORMS = platforms.names()
READ = "GET "
troubled = pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE)
NO_ROWS: tuple[object, ...] = ("21.5", None, [[]])


async def found(stage: Stage, api: AccountApi) -> set[tuple[str, str | None]]:
    """Ana's devices and feeds, by their names."""
    told = [each async for each in stage.adapter.discover(api, login(stage.ana))]
    kept = [it for each in told if (it := channels.described(each))]
    feeds = {(feed.key, feed.stream) for each in kept for feed in each.feeds}
    return feeds | {(each.device.identifier, each.device.name) for each in kept if each.device}


@troubled
async def test_trouble_with_a_request_for_readings_is_told_or_all_of_them_come(
    hasty: Stage, trouble: Trouble
) -> None:
    feed, api = await busiest(hasty)
    truth = of(feed, hasty.truth)
    await endured(hasty.fake.faults, trouble, lambda: pulled(hasty, feed, api, HISTORY), truth)


@troubled
async def test_trouble_with_a_request_of_a_discovery_is_told_or_all_is_found(
    hasty: Stage, trouble: Trouble
) -> None:
    api = await hasty.api()
    whole = await found(hasty, api)
    await endured(hasty.fake.faults, trouble, lambda: found(hasty, api), whole)


async def test_a_device_that_is_forbidden_costs_its_own_readings_and_no_others(
    stage: Stage,
) -> None:
    (first, first_api), feeds = await busiest(stage), (await stage.feeds()).values()
    (device,) = first.devices
    stage.fake.faults.add(Fault(device, refuse(403), times=None))
    parts, refused = [], set[str]()
    for feed, api in feeds:
        try:
            parts.append(await pulled(stage, feed, api, HISTORY))
        except Forbidden:
            refused.update(feed.devices)
    assert refused == {device}
    with pytest.raises(Forbidden):
        [said async for said in stage.adapter.readings(first_api, first, HISTORY)]
    assert held(*parts) == {key: it for key, it in stage.truth.items() if key[0] != device}


@pytest.mark.parametrize("row", NO_ROWS, ids=repr)
async def test_a_row_that_is_none_is_rejected_in_the_open_and_costs_no_other(
    stage: Stage, row: object
) -> None:
    feed, api = await busiest(stage)
    whole = await found(stage, api)
    stage.fake.faults.add(Fault(READ, among(row), times=None))
    said = [each async for said in stage.adapter.readings(api, feed, HISTORY) for each in said]
    told = channels.normalize([each for each in said if isinstance(each, Sample)], NOW)
    assert {each.reason for each in told.rejections} - {"same_instant"} == {"no_channel"}
    kept = {(it.device, it.channel, it.instant): it.value for it in told.readings}
    assert kept == of(feed, stage.truth)
    assert await found(stage, api) == whole
