"""What the feeds of a platform bring, beside what is true of them."""

import re
from collections.abc import Iterable
from datetime import datetime

from fix_platforms import NOW, SINCE, Facts, Stage

from harvester import channels, platforms
from harvester.auth import AccountApi
from harvester.model import Feed, Sample, Window
from harvester.simulator.curves import DAY_MS
from harvester.simulator.world import instant, millis


def goes_by_arrival(platform: str) -> bool:
    """Whether a window is of what came in at the platform then, whatever its instant."""
    adapter = platforms.adapter(platform)
    return not adapter.axis_is_instant and "readings" not in adapter.whole


async def told(stage: Stage, feed: Feed, api: AccountApi, window: Window) -> list[Sample]:
    """What a window brings, with what came with the tasks of its devices: where the instants tell
    what is of it, no more than that. What comes from outside of it must be true too."""
    said = [each async for said in stage.adapter.readings(api, feed, window) for each in said]
    if tasks := stage.tasks_of.get(feed.devices):
        reports = stage.adapter.task_reports(api, tasks, window)
        said += [each async for said in reports for each in said]
    samples = [each for each in said if isinstance(each, Sample)]
    untrue = sorted(facts(stage, samples).keys() - stage.truth.keys())
    assert not untrue, f"{len(untrue)} readings that there are not, such as {untrue[:3]}"
    if goes_by_arrival(stage.platform):
        return samples
    return [each for each in samples if each.instant and is_in(window, each.instant)]


async def pulled(stage: Stage, feed: Feed, api: AccountApi, window: Window) -> Facts:
    """What is kept of what a window brings."""
    return facts(stage, await told(stage, feed, api, window))


def facts(stage: Stage, samples: Iterable[Sample]) -> Facts:
    """What is kept of samples."""
    said = channels.normalize(samples, stage.clock.now())
    odd = [each for each in said.rejections if each.reason != "same_instant"]
    assert not odd, f"{len(odd)} samples that are no reading, such as {odd[:3]}"
    return {(r.device, r.channel, r.instant): r.value for r in said.readings}


def is_in(window: Window, at: datetime) -> bool:
    return window.since <= at < window.until


def instants(facts: Facts) -> list[datetime]:
    return sorted({key[2] for key in facts})


def of(feed: Feed, facts: Facts) -> Facts:
    """What a feed tells of its devices: all, unless its key names channels."""
    words = {word.strip("/") for word in re.split("[ ,:]", feed.key)} - {*feed.devices}
    named = words & {channel for _, channel, _ in facts}
    return {
        key: value
        for key, value in facts.items()
        if key[0] in feed.devices and (key[1] in named or not named)
    }


def arrivals(stage: Stage) -> set[tuple[str, datetime, datetime]]:
    """Of which device and which instant something came in at the platform, and when it did."""
    days = range(millis(SINCE) // DAY_MS, millis(stage.clock.now()) // DAY_MS + 1)
    sent = [
        (thing.uuid, uplink)
        for thing in stage.tenant.things
        for day in days
        for uplink in stage.world.uplinks(thing, day)
    ]
    return {(uuid, instant(each.ms), instant(each.versions[0].published_ms)) for uuid, each in sent}


def places(stage: Stage, feed: Feed) -> list[datetime]:
    """Where on the axis its devices' readings are: at their instants, or at their arrival."""
    if not goes_by_arrival(stage.platform):
        return instants(of(feed, stage.truth))
    came = {at for device, _, at in arrivals(stage) if device in feed.devices}
    return sorted(at for at in came if SINCE <= at <= NOW)


async def busiest(stage: Stage) -> tuple[Feed, AccountApi]:
    """The feed of devices of which most was published."""
    feeds, truth = (await stage.feeds()).values(), stage.truth
    return max(feeds, key=lambda each: len(instants(of(each[0], truth))))


async def serves_all(stage: Stage) -> bool:
    """Whether there are feeds of whatever the tenant has: then users see all of it, and it is
    nobody's."""
    return any(not (feed.devices or feed.every) for feed, _ in (await stage.feeds()).values())


def held(*parts: Facts) -> dict[tuple[str, str, datetime], float | str]:
    """What is held when one came after the other."""
    return {key: value for part in parts for key, value in part.items()}
