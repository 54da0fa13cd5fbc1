"""What types and units mean, as Cayenne spells them. Sources: docs/platforms/mydevices.md."""

from harvester.model import Meaning, Meanings

MEANINGS: Meanings = {
    ("temp", "c"): Meaning("temperature", "Cel"),
    ("temp", "f"): Meaning("temperature", "Cel", scale=5 / 9, offset=-160 / 9),
    ("temp", "k"): Meaning("temperature", "Cel", offset=-273.15),
    ("rel_hum", "p"): Meaning("relative_humidity", "%RH"),
    ("rel_hum", "r"): Meaning("relative_humidity", "%RH", scale=100),
    ("bp", "pa"): Meaning("air_pressure", "Pa"),
    ("bp", "hpa"): Meaning("air_pressure", "Pa", scale=100),
    ("lum", "lux"): Meaning("illuminance", "lx"),
    ("co2", "ppm"): Meaning("co2", "ppm"),
    ("batt", "p"): Meaning("battery_level", "%EL"),
    ("batt", "v"): Meaning("battery_voltage", "V"),
    ("voltage", "v"): Meaning("voltage", "V"),
    ("voltage", "mv"): Meaning("voltage", "V", scale=1e-3),
    ("rssi", "dbm"): Meaning("rssi", "dBm"),
    ("snr", "db"): Meaning("snr", "dB"),
    ("digital_sensor", "d"): Meaning("digital_input", "/"),
}
