"""Where a tenant's data is in its application: what is right, and what is said of what is wrong."""

from pathlib import Path

import pytest
from configured import TENANT, complaints, settings

from harvester.platforms.usergrid.options import UsergridOptions

PLANT = TENANT.replace("mydevices", "usergrid").replace(
    'client_id = "app"\n', 'organization = "acme"\napplication = "plant7"\n'
)
READINGS = "[[tenant.options.readings]]\n"
PATH = 'takes a path below the application, such as "readings" or "devices/{device}/sends/readings"'
OF_READINGS = "tenant.acme.options.readings"
WRONG = [
    (
        "",
        "tenant.acme.options: names nothing to harvest: add [[tenant.options.readings]], with the "
        "path where readings are; or tasks, notifications, imports or exports",
    ),
    (
        READINGS + 'path = "readings"\n',
        f"{OF_READINGS}.readings: give device, the property that names it, or {{device}} in the "
        "path",
    ),
    (READINGS + 'path = "/readings"\ndevice = "d"\n', f'{OF_READINGS}."/readings".path: {PATH}'),
    (READINGS + 'path = "r?limit=1"\ndevice = "d"\n', f'{OF_READINGS}."r?limit=1".path: {PATH}'),
    (
        READINGS + 'path = "{device}/sends/readings"\n',
        f'{OF_READINGS}."{{device}}/sends/readings".path: {PATH}',
    ),
    (
        READINGS + 'path = "readings"\ndevic = "d"\n',
        f"{OF_READINGS}.readings.devic: unknown key; did you mean device?",
    ),
    (
        '[tenant.options.readings]\npath = "readings"\n',
        f"{OF_READINGS}: takes a list of tables: write [[tenant.options.readings]] instead of "
        "[tenant.options.readings]",
    ),
    (READINGS + 'device = "d"\n', f"{OF_READINGS}.#1.path: is missing"),
    (
        2 * (READINGS + 'path = "readings"\ndevice = "d"\n'),
        "tenant.acme.options: readings is given twice: each is read once",
    ),
    (
        '[[tenant.options.tasks]]\npath = "orders"\nstates = { Done = "finished" }\n',
        "tenant.acme.options.tasks.orders.states.Done: input should be 'pending', 'running', "
        "'succeeded', 'failed', 'expired' or 'unknown'",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), WRONG)
def test_a_mistake_is_told_with_the_path_it_is_about(
    tmp_path: Path, text: str, sentence: str
) -> None:
    assert complaints(tmp_path / "c.toml", PLANT + text) == [sentence]


@pytest.mark.parametrize(
    ("looks", "sweep", "is_right"),
    [
        ("", "", True),
        ("", 'sweep = "2d"\n', False),
        ("", 'sweep = "23h59m"\n', True),
        ("", 'sweep = "23h59m30s"\n', False),
        ('looks = ["2d", "1h"]\n', 'sweep = "47h"\n', True),
        ('looks = ["10m"]\n', "", False),
        ("looks = []\n", 'sweep = "1m"\n', False),
    ],
)
def test_a_look_comes_after_each_sweep(
    tmp_path: Path, looks: str, sweep: str, is_right: bool
) -> None:
    """A sweep leaves to it what the index knows by then."""
    text = PLANT.replace("[tenant.options]\n", f"{looks}[tenant.options]\n{sweep}")
    text += READINGS + 'path = "readings"\ndevice = "d"\n'
    if is_right:
        assert settings(tmp_path / "c.toml", text).tenants
        return
    assert complaints(tmp_path / "c.toml", text) == [
        "tenant.acme.options: sweep and index_lag together are more than the last of looks: "
        "shorten sweep, or add a later look"
    ]


def test_without_readings_there_are_no_sweeps_to_come_after(tmp_path: Path) -> None:
    text = PLANT.replace("[tenant.options]\n", "looks = []\n[tenant.options]\n")
    assert settings(tmp_path / "c.toml", text + "notifications = true\n").tenants


def test_a_path_of_devices_names_them_itself(tmp_path: Path) -> None:
    path = 'path = "devices/{device}/sends/readings"\n'
    (tenant,) = settings(tmp_path / "c.toml", PLANT + READINGS + path).tenants
    assert isinstance(tenant.options, UsergridOptions)
    (readings,) = tenant.options.readings
    assert (readings.path, readings.device) == ("devices/{device}/sends/readings", None)
