"""The kinds of things in the world: their sensors, channels, and the types and units stated.

Channel numbers and the type and unit strings are the vendor's: 3, 4, 5, 7, 10, 100, 101 by custom,
500 and up defined by each device template, and names for what an agent reports.
"""

from dataclasses import dataclass
from typing import Literal

from harvester.simulator.curves import Curve, daily, decay, meter, words

Value = float | str | bool


@dataclass(frozen=True, slots=True)
class Sensor:
    """One channel of a thing, as the platform's metadata states it.

    Without a curve it is a digital state: on during the thing's events, else off.
    """

    name: str
    channel: str
    type: str | None
    unit: str | None
    curve: Curve | None = None
    share: float = 1.0  # of the uplinks carry it
    has_id: bool = True  # the vendor's SNR sensors come with an empty id
    listed: bool = True  # False: readings carry it, the metadata does not know it


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of thing. `form` is how it spells numbers; `events` is the most it has in a day."""

    name: str
    sensors: tuple[Sensor, ...]
    form: Literal["number", "string", "boolean"] = "number"
    on_the_round: bool = False  # samples exactly on :00 and :30, so on the edges of windows
    events: int = 0
    gateway: bool = False


def _radio(*, listed: bool = True) -> tuple[Sensor, Sensor]:
    return (
        Sensor("RSSI", "100", "rssi", "dbm", daily(-85, 4, 12, digits=0), listed=listed),
        Sensor("SNR", "101", "snr", "db", daily(7, 1, 4), has_id=False, listed=listed),
    )


def _temperature(mean: float, swing: float, channel: str = "3") -> Sensor:
    return Sensor("Temperature", channel, "temp", "c", daily(mean, swing, 0.6))


def _humidity(channel: str = "4") -> Sensor:
    return Sensor("Humidity", channel, "rel_hum", "p", daily(52, -9, 4, low=0, high=100))


def _battery(days: float) -> Sensor:
    return Sensor("Battery", "5", "batt", "p", decay(100, 8, days))


def _state(name: str) -> Sensor:
    return Sensor(name, "10", "digital_sensor", "d")


COLD_ROOM = Model("Cold room", (_temperature(4.2, 0.8), _humidity(), _battery(400), *_radio()))
FREEZER = Model(
    "Freezer",
    (
        _temperature(-20.5, 1.1),
        Sensor("Probe", "7", "temp", "c", daily(-22, 0.7, 0.4, digits=2)),
        Sensor("Battery", "500", "voltage", "mv", decay(3650, 2900, 500)),
        *_radio(),
    ),
)
DOOR = Model("Door", (_state("Door"), _battery(700), *_radio()), form="boolean", events=9)
OFFICE_AIR = Model(
    "Office air",
    (
        _temperature(21.5, 1.6, "501"),
        _humidity("502"),
        Sensor("CO2", "503", "co2", "ppm", daily(640, 230, 60, digits=0, low=400)),
        Sensor("Light", "510", "lum", "lux", daily(150, 420, 40, digits=0, low=0)),
        Sensor("Pressure", "515", "bp", "hpa", daily(1013.2, 2.5, 1.5)),
        *_radio(),
    ),
)
WEATHER = Model(
    "Weather station",
    (
        _temperature(11, 6.5),
        _humidity(),
        Sensor("Pressure", "515", "bp", "pa", daily(100_840, 260, 150, digits=0)),
        _battery(250),
    ),
    on_the_round=True,
)
WATER_METER = Model(
    "Water meter",
    (
        Sensor("Volume", "500", "vol", "m3", meter(1.7)),
        Sensor("Flow", "501", "analog_sensor", "null", daily(0.8, 0.6, 0.3, digits=2, low=0)),
        _battery(900),
        Sensor("Firmware", "510", "firmware", "null", words("2.4.1", "2.5.0-rc1"), share=0.2),
    ),
    form="string",
)
PUMP = Model(
    "Pump",
    (
        _state("Running"),
        Sensor("Status", "status", None, None, words("OK", "WARN: dry", "Störung")),
        Sensor("CPU", "sys:cpu;load", "cpu", "p", daily(22, 9, 12, low=0, high=100)),
        Sensor("Current", "502", "current", "a", daily(3.1, 0.4, 0.3, digits=3)),
    ),
    events=5,
)
LEAK = Model(
    "Leak", (_state("Leak"), _temperature(17, 2), _battery(600), *_radio(listed=False)), events=1
)
GATEWAY = Model("Gateway", (), gateway=True)

# In this order, and round again where a tenant has more things than there are models.
REPORTING = (COLD_ROOM, FREEZER, DOOR, OFFICE_AIR, WEATHER, WATER_METER, PUMP, LEAK)
