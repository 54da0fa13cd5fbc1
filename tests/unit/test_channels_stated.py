"""What a platform states of devices and channels, and what that means."""

import pytest

from harvester.channels import LONGEST_PLACE, described, meaning
from harvester.model import (
    Channel,
    Device,
    Discovered,
    Feed,
)
from harvester.platforms.coiote.meanings import MEANINGS as OF_LWM2M
from harvester.platforms.mydevices.meanings import MEANINGS as OF_CAYENNE
from harvester.storable import LONGEST_NAME


def test_of_a_discovered_device_only_what_can_be_stored_is_kept() -> None:
    too_long = "n" * (LONGEST_NAME + 1)
    names = ["t", "", "a\0b", "\ud800", too_long]
    channels = tuple(Channel(name, "a\0b", too_long, None) for name in names)
    feeds = tuple(Feed("readings", key, ("dev",)) for key in ["f", "a\0b", "\ud800", too_long])
    found = described(Discovered(Device("dev", "\ud800", "kind", channels), feeds, "ann"))
    kept_channel = Channel("t", "a\\0b", too_long[1:], None)
    device = Device("dev", "\\ud800", "kind", (kept_channel,))
    assert found == Discovered(device, feeds[:1], "ann")


@pytest.mark.parametrize("place", ["a\0b", "\ud800", "/" * (LONGEST_PLACE + 1)])
def test_a_place_that_cannot_be_stored_is_not_known(place: str) -> None:
    feeds = tuple(Feed("readings", "f", ("dev",), place=each) for each in (place, "/a/" * 99, None))
    found = described(Discovered(Device("dev"), feeds))
    assert found and [feed.place for feed in found.feeds] == [None, "/a/" * 99, None]


def test_of_a_finding_without_a_device_the_feeds_are_kept() -> None:
    feeds = tuple(Feed("task_reports", key) for key in ["f", "a\0b"])
    assert described(Discovered(None, feeds, "ann")) == Discovered(None, feeds[:1], "ann")


@pytest.mark.parametrize("identifier", ["", "n" * (LONGEST_NAME + 1), "a\0b", "\ud800"])
def test_a_discovered_device_whose_identifier_cannot_be_stored_is_left_out(identifier: str) -> None:
    assert described(Discovered(Device(identifier))) is None


@pytest.mark.parametrize(
    ("stated", "raw", "quantity", "canonical", "unit"),
    [
        (("temp", "c"), 21.5, "temperature", 21.5, "Cel"),
        (("temp", "f"), 72, "temperature", 22 + 2 / 9, "Cel"),
        (("temp", "f"), -40, "temperature", -40, "Cel"),
        (("temp", "k"), 300, "temperature", 26.85, "Cel"),
        (("rel_hum", "p"), 45, "relative_humidity", 45, "%RH"),
        (("rel_hum", "r"), 0.45, "relative_humidity", 45, "%RH"),
        (("bp", "pa"), 101325, "air_pressure", 101325, "Pa"),
        (("bp", "hpa"), 1013.25, "air_pressure", 101325, "Pa"),
        (("lum", "lux"), 300, "illuminance", 300, "lx"),
        (("co2", "ppm"), 420, "co2", 420, "ppm"),
        (("batt", "p"), 80, "battery_level", 80, "%EL"),
        (("batt", "v"), 3.6, "battery_voltage", 3.6, "V"),
        (("voltage", "v"), 12, "voltage", 12, "V"),
        (("voltage", "mv"), 3300, "voltage", 3.3, "V"),
        (("rssi", "dbm"), -97, "rssi", -97, "dBm"),
        (("snr", "db"), 7.5, "snr", 7.5, "dB"),
        (("digital_sensor", "d"), 1, "digital_input", 1, "/"),
        (("3303/5700", "Celsius degrees"), 21.5, "temperature", 21.5, "Cel"),
        (("3303/5700", "°F"), 72, "temperature", 22 + 2 / 9, "Cel"),
        (("3303/5700", "K"), 300, "temperature", 26.85, "Cel"),
        (("3304/5700", "%"), 28.927, "relative_humidity", 28.927, "%RH"),
        (("3315/5700", "kPa"), 98.226, "air_pressure", 98226, "Pa"),
        (("3325/5700", "ppb"), 420_000, "concentration", 420, "ppm"),
        (("6/2", "m"), 120, "altitude", 120, "m"),
        (("3/9", None), 73, "battery_level", 73, "%EL"),
        (("4/2", "dBm"), -97, "rssi", -97, "dBm"),
        (("3411/1", "/100"), 73, "battery_level", 73, "%EL"),
        (("3411/3", None), 3.6, "battery_voltage", 3.6, "V"),
        (("6/0", "Deg"), -43.57, "latitude", -43.57, "lat"),
        (("3336/5515", None), 153.2, "longitude", 153.2, "lon"),
        (("3305/5800", None), 60, "active_power", 60, "W"),
        (("3428/3", "ug/m3"), 12, "pm2_5", 12, "ug/m3"),
    ],
)
def test_a_stated_type_and_unit_mean_a_quantity_in_its_canonical_unit(
    stated: tuple[str, str], raw: float, quantity: str, canonical: float, unit: str
) -> None:
    found = meaning({**OF_CAYENNE, **OF_LWM2M}, *stated)
    assert found is not None
    assert (found.quantity, found.unit) == (quantity, unit)
    assert raw * found.scale + found.offset == pytest.approx(canonical)


def test_a_meaning_is_found_however_the_platform_writes_its_letters() -> None:
    assert meaning(OF_CAYENNE, "TEMP", "F") == meaning(OF_CAYENNE, "temp", "f") is not None
    assert meaning(OF_CAYENNE, "bp", "hPa") == meaning(OF_CAYENNE, "BP", "hpa") is not None


@pytest.mark.parametrize(
    "stated",
    [
        (None, None),
        ("temp", None),
        (None, "c"),
        ("temp", "pa"),
        ("", ""),
        ("gps", "m"),
        ("3315/5700", None),
    ],
)
def test_what_we_do_not_know_means_nothing(stated: tuple[str | None, str | None]) -> None:
    assert meaning({**OF_CAYENNE, **OF_LWM2M}, *stated) is None
