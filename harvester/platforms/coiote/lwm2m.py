"""LwM2M objects that measure, as OMA's registry has them: docs/platforms/coiote.md.

An object is named by its number, and so is a resource of it. Names are those of the registry,
which an installation may have replaced by its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class SensorObject:
    """An object and those of its resources that are measured: no limits, no settings."""

    name: str
    resources: tuple[int, ...]


Path = tuple[int, int, int]
"""An object, one of its instances, and a resource."""

UNITS: Final = 5701
APPLICATION_TYPE: Final = 5750
TIMESTAMP: Final = 5518
QUALITY: Final = 6042

_OF_ONE_VALUE = {
    3300: "Generic Sensor",
    3301: "Illuminance",
    3303: "Temperature",
    3304: "Humidity",
    3315: "Barometer",
    3316: "Voltage",
    3317: "Current",
    3318: "Frequency",
    3319: "Depth",
    3320: "Percentage",
    3321: "Altitude",
    3322: "Load",
    3323: "Pressure",
    3324: "Loudness",
    3325: "Concentration",
    3326: "Acidity",
    3327: "Conductivity",
    3328: "Power",
    3329: "Power Factor",
    3330: "Distance",
    3331: "Energy",
    3346: "Rate",
}
"""Those whose value is resource 5700."""

SENSORS: Mapping[int, SensorObject] = {
    **{number: SensorObject(name, (5700,)) for number, name in _OF_ONE_VALUE.items()},
    6: SensorObject("Location", (0, 1, 2, 3, 6)),
    3200: SensorObject("Digital Input", (5500, 5501)),
    3201: SensorObject("Digital Output", (5550,)),
    3202: SensorObject("Analog Input", (5600,)),
    3203: SensorObject("Analog Output", (5650,)),
    3302: SensorObject("Presence", (5500, 5501)),
    3305: SensorObject("Power Measurement", (5800, 5805, 5810, 5815, 5820)),
    3306: SensorObject("Actuation", (5850, 5851)),
    3308: SensorObject("Set Point", (5900,)),
    3311: SensorObject("Light Control", (5850, 5851, 5805, 5820)),
    3312: SensorObject("Power Control", (5850, 5851, 5805, 5820)),
    3313: SensorObject("Accelerometer", (5702, 5703, 5704)),
    3314: SensorObject("Magnetometer", (5702, 5703, 5704, 5705)),
    3332: SensorObject("Direction", (5705,)),
    3334: SensorObject("Gyrometer", (5702, 5703, 5704)),
    3335: SensorObject("Colour", (5706,)),
    3336: SensorObject("Location", (6051, 6052, 6053, 5514, 5515, 5516, 5705)),
    3337: SensorObject("Positioner", (5536,)),
    3338: SensorObject("Buzzer", (5850, 5548)),
    3342: SensorObject("On/Off switch", (5500, 5501)),
    3343: SensorObject("Dimmer", (5548,)),
    3344: SensorObject("Up/Down Control", (5541, 5542)),
    3345: SensorObject("Multiple Axis Joystick", (5500, 5702, 5703, 5704)),
    3347: SensorObject("Push button", (5500, 5501)),
    3348: SensorObject("Multi-state Selector", (5547,)),
    3349: SensorObject("Bitmap", (5910,)),
    3350: SensorObject("Stopwatch", (5544,)),
    3411: SensorObject("Battery", (1, 3)),
    3428: SensorObject("Air quality", (1, 3, 5, 7, 9, 12, 15, 17, 23)),
    3435: SensorObject("Filling level sensor", (2, 3)),
}
"""What is harvested of a device by the objects that it registers."""

OBJECT_NAMES: Mapping[int, str] = {
    **{number: it.name for number, it in SENSORS.items()},
    3: "Device",
    4: "Connectivity Monitoring",
}
RESOURCE_NAMES: Mapping[tuple[int, int], str] = {
    **{(number, UNITS): "Sensor Units" for number in SENSORS},
    **{(number, APPLICATION_TYPE): "Application Type" for number in SENSORS},
    **{(number, TIMESTAMP): "Timestamp" for number in SENSORS},
    **{(number, QUALITY): "Measurement Quality Indicator" for number in SENSORS},
    (3, 9): "Battery Level",
    (3, 20): "Battery Status",
    (4, 2): "Radio Signal Strength",
    (4, 3): "Link Quality",
}
"""By object and resource: of those whose latest values are read."""


def text_of(path: Path) -> str:
    """As it stands in a URL, without the slash before it: a channel is named so."""
    return "/".join(map(str, path))


def path_of(text: str) -> Path:
    """Raises ValueError where it is none."""
    number, instance, resource = map(int, text.split("/"))
    return number, instance, resource
