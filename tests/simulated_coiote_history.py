"""What the fake Coiote tells of the past beside what is true: for the tests of its history."""

from datetime import datetime, timedelta
from typing import Any

from simulated_coiote import NOW, Play, resource_url

from harvester.simulator.coiote_shapes import stamp
from harvester.simulator.coiote_site import Device
from harvester.simulator.world import millis

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
SINCE = NOW - DAY - SECOND
TEMPERATURE = "3303/0/5700"


def worth(text: str) -> float | str:
    """As whoever reads these texts has to take them."""
    try:
        told = float(text)
    except ValueError:
        return text
    return text if "." not in text and "E" not in text and int(told) != int(text) else told


def held(rows: list[tuple[str, str]]) -> dict[str, float | str]:
    """Of two values of one instant the greater, text before numbers."""
    ranked = sorted((isinstance(worth(text), str), worth(text), date) for date, text in rows)
    return {date: value for _, value, date in ranked}


def true(play: Play, device: Device, resource: str) -> dict[str, float | str]:
    return truths(play).get((device.id, resource), {})


def truths(play: Play) -> dict[tuple[str, str], dict[str, float | str]]:
    """By device and resource."""
    found: dict[tuple[str, str], dict[str, float | str]] = {}
    for (device, resource, at), value in play.fake.truth("acme").items():
        found.setdefault((device, resource), {})[stamp(millis(at))] = value
    return found


async def page(play: Play, device: Device, since: datetime, **params: Any) -> Any:
    """One page of a temperature's history up to now."""
    path = resource_url(device.id, TEMPERATURE)
    told = {"timeRangeStart": since.isoformat(), "timeRangeEnd": NOW.isoformat(), **params}
    return await play.told(await play.service(), path, **told)
