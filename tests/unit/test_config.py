"""A right configuration becomes complete, frozen settings."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from configured import FORGETS, TENANT, settings
from pydantic import SecretStr

from harvester import config
from harvester.config import Settings
from harvester.platforms.mydevices import Adapter
from harvester.vault import KeyFile

HOUR = timedelta(hours=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "harvester.toml"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("HARVESTER_") or name == "STATE_DIRECTORY":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/nowhere")


def test_defaults_are_filled_in(file: Path) -> None:
    found = settings(file, TENANT)
    assert found.deployment == "harvester"
    assert found.state_directory == Path("/nowhere/.local/state/harvester")
    assert found.key_file is None
    assert (found.database.dsn, found.database.partition) == (None, "month")
    assert (found.web.host, found.web.port) == ("127.0.0.1", 9464)
    assert found.auth_events == 90 * 24 * HOUR
    [tenant] = found.tenants
    assert (tenant.interval, tenant.history) == (HOUR / 12, 24 * HOUR)
    assert tenant.looks == Adapter.looks
    assert type(tenant.options) is Adapter.Options
    assert tenant.accounts == ()


@pytest.mark.parametrize(
    ("tenant", "every"),
    [
        (TENANT, 300),
        (FORGETS, 40),
        (FORGETS + 'retention = "1h"', 300),
        (FORGETS.replace("5m", "15s"), 15),
    ],
)
def test_who_forgets_is_polled_three_times_before(file: Path, tenant: str, every: int) -> None:
    [found] = settings(file, tenant).tenants
    assert found.polled_every == timedelta(seconds=every)


def test_what_is_written_counts(file: Path) -> None:
    top = 'deployment = "north"\nstate_directory = "/var/lib/h"\nkey_file = "keys"\n'
    top += 'auth_events = "30d"\n'
    database = '[database]\ndsn = "postgresql://h@db.example/h"\npartition = "day"\n'
    tenant = TENANT.replace("[tenant.options]", 'looks = ["1h30m", "7d"]\n[tenant.options]')
    found = settings(file, top + database + tenant + '[[tenant.account]]\nuser = "ops"\n')
    assert (found.deployment, found.state_directory) == ("north", Path("/var/lib/h"))
    assert found.keys == KeyFile(file.parent / "keys")
    assert found.auth_events == 30 * 24 * HOUR
    assert found.database.dsn == "postgresql://h@db.example/h"
    assert found.database.partition == "day"
    assert found.tenants[0].looks == (1.5 * HOUR, 168 * HOUR)
    assert found.tenants[0].options.base_url == "https://api.example"
    [account] = found.tenants[0].accounts
    assert (account.user, account.password) == ("ops", None)


def test_settings_cannot_be_changed(file: Path) -> None:
    found = settings(file, TENANT)
    for table in (found, found.web, found.tenants[0], found.tenants[0].options):
        with pytest.raises(ValueError, match="frozen"):
            setattr(table, next(iter(type(table).model_fields)), "other")


def test_systemd_names_the_state_directory(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/harvester:/var/lib/more")
    assert settings(file, TENANT).state_directory == Path("/var/lib/harvester")
    assert settings(file, 'state_directory = "s"' + TENANT).state_directory == file.parent / "s"


def test_the_environment_lies_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file.parent / "pw").write_text("hunter2")
    monkeypatch.setenv("HARVESTER_WEB__PORT", "0")
    monkeypatch.setenv("HARVESTER_KEY_FILE", "/run/keys")
    monkeypatch.setenv("HARVESTER_DATABASE__PASSWORD__FILE", "pw")
    monkeypatch.setenv("HARVESTER_PORT", "tcp://172.17.0.2:9464")  # a container's link, not ours
    web = '[web]\nhost = "::1"\nport = 1\n'
    database = '[database]\ndsn = "postgres://db/h"\npassword = { env = "UNSET" }\n'
    found = settings(file, web + database + TENANT)
    assert (found.web.host, found.web.port) == ("::1", 0)
    assert found.keys == KeyFile(Path("/run/keys"))
    assert found.database.password == SecretStr("hunter2")


def test_the_environment_can_name_tenants(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = {"name": "zen", "platform": "mydevices", "interval": "1m", "history": "1d"}
    monkeypatch.setenv("HARVESTER_TENANT", json.dumps([tenant | {"options": {"client_id": "x"}}]))
    assert [tenant.name for tenant in settings(file, TENANT).tenants] == ["zen"]


def test_every_setting_can_come_from_the_environment() -> None:
    names = {field.alias or name for name, field in Settings.model_fields.items()}
    assert set(config._Environment.model_fields) == names


@pytest.mark.parametrize(
    ("said", "meant"),
    [("90s", HOUR / 40), ("5m", HOUR / 12), ("7d", 168 * HOUR), ("1h30m", 1.5 * HOUR)],
)
def test_durations(file: Path, said: str, meant: timedelta) -> None:
    assert settings(file, TENANT.replace("5m", said)).tenants[0].interval == meant


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "127.8.0.1", "[::1]:80", "localhost"])
def test_plain_http_goes_to_loopback(file: Path, host: str) -> None:
    found = settings(file, TENANT.replace("https://api.example", f"http://{host}/v1"))
    assert found.tenants[0].options.base_url == f"http://{host}/v1"
