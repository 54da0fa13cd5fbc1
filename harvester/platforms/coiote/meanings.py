"""What LwM2M resources and the units that they state mean: docs/platforms/coiote.md."""

from harvester.model import Meaning, Meanings

_PRESSURES = {"pa": 1.0, "hpa": 100.0, "mbar": 100.0, "kpa": 1e3, "bar": 1e5}
_LENGTHS = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "km": 1e3}
_PERCENT = {"%": 1.0, "/100": 1.0, "%rh": 1.0, "percent": 1.0}
_POWERS = {"w": 1.0, "kw": 1e3}
_ENERGIES = {"wh": 1.0, "kwh": 1e3}
_DUST = {"": 1.0, "ug/m3": 1.0}
_DEGREES = {"": 1.0, "deg": 1.0}
_CELSIUS = ("celsius degrees", "celsius", "cel", "c", "°c", "degc")
_SCALED = (
    ("temperature", "Cel", ("3303/5700",), dict.fromkeys(_CELSIUS, 1.0)),
    ("relative_humidity", "%RH", ("3304/5700",), _PERCENT),
    ("air_pressure", "Pa", ("3315/5700",), _PRESSURES),
    ("pressure", "Pa", ("3323/5700",), _PRESSURES),
    ("illuminance", "lx", ("3301/5700",), {"lx": 1.0, "lux": 1.0}),
    ("voltage", "V", ("3316/5700",), {"v": 1.0, "mv": 1e-3}),
    ("current", "A", ("3317/5700",), {"a": 1.0, "ma": 1e-3}),
    ("frequency", "Hz", ("3318/5700",), {"hz": 1.0}),
    ("percentage", "/100", ("3320/5700",), _PERCENT),
    ("altitude", "m", ("3321/5700",), _LENGTHS),
    ("concentration", "ppm", ("3325/5700",), {"ppm": 1.0, "ppb": 1e-3}),
    ("active_power", "W", ("3328/5700",), _POWERS),
    ("active_energy", "Wh", ("3331/5700",), _ENERGIES),
    ("distance", "m", ("3330/5700",), _LENGTHS),
    # Of these the registry has the unit: it need not be stated, as it must be of all others.
    ("battery_level", "%EL", ("3/9", "3411/1"), {"": 1.0, **_PERCENT}),
    ("battery_voltage", "V", ("3411/3",), {"": 1.0, "v": 1.0}),
    ("rssi", "dBm", ("4/2",), {"": 1.0, "dbm": 1.0}),
    ("latitude", "lat", ("6/0", "3336/6051", "3336/5514"), {**_DEGREES, "lat": 1.0}),
    ("longitude", "lon", ("6/1", "3336/6052", "3336/5515"), {**_DEGREES, "lon": 1.0}),
    ("altitude", "m", ("6/2",), {"": 1.0, **_LENGTHS}),
    ("position_uncertainty", "m", ("6/3", "3336/6053", "3336/5516"), {"": 1.0, **_LENGTHS}),
    ("speed", "m/s", ("6/6",), {"": 1.0, "m/s": 1.0}),
    ("active_power", "W", ("3305/5800",), {"": 1.0, **_POWERS}),
    ("active_energy", "Wh", ("3305/5805",), {"": 1.0, **_ENERGIES}),
    ("reactive_power", "var", ("3305/5810",), {"": 1.0, "var": 1.0}),
    ("pm10", "ug/m3", ("3428/1",), _DUST),
    ("pm2_5", "ug/m3", ("3428/3",), _DUST),
    ("pm1", "ug/m3", ("3428/5",), _DUST),
    ("co2", "ppm", ("3428/17",), {"": 1.0, "ppm": 1.0}),
)
"""Quantity, unit, objects with resources, and spellings of units with their scales."""
_FAHRENHEIT = Meaning("temperature", "Cel", scale=5 / 9, offset=-160 / 9)
_KELVIN = Meaning("temperature", "Cel", offset=-273.15)

MEANINGS: Meanings = {
    **{("3303/5700", spelled): _FAHRENHEIT for spelled in ("f", "°f", "degf")},
    ("3303/5700", "k"): _KELVIN,
    **{
        (stated_type, spelled): Meaning(quantity, unit, scale)
        for quantity, unit, types, spellings in _SCALED
        for stated_type in types
        for spelled, scale in spellings.items()
    },
}
