"""What an operator gets wrong: one clear sentence, a telling exit code, never a traceback."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from acceptance.daemon import forked
from fix_postgres import Database
from fix_simulator import configured_for

from harvester.simulator.mydevices import FakeMydevices

EX_CONFIG, EX_UNAVAILABLE, EX_TEMPFAIL = 78, 69, 75
Edit = Callable[[Path], None]


def edited(old: str, new: str) -> Edit:
    def edit(config_file: Path) -> None:
        text = config_file.read_text()
        assert old in text
        config_file.write_text(text.replace(old, new, 1))

    return edit


def without_secret(config_file: Path) -> None:
    (config_file.parent / "acme.client_secret").unlink()


def with_wrong_database_password(config_file: Path) -> None:
    (config_file.parent / "database").write_text("wrong")


@pytest.mark.parametrize(
    ("mistake", "code", "words"),
    [
        (edited("interval", "intervall"), EX_CONFIG, ["config.toml", "acme", "interval"]),
        (edited('"5s"', '"soon"'), EX_CONFIG, ["config.toml", "acme", "interval", "5m"]),
        (without_secret, EX_CONFIG, ["acme.client_secret", "client_secret"]),
        (edited("http://127.0.0.1", "http://192.0.2.1"), EX_CONFIG, ["base_url", "https"]),
        (edited("@127.0.0.1:", "@127.0.0.1:1"), EX_CONFIG, ["database.dsn", "port"]),
        (edited("@127.0.0.1:", "@127.0.0.2:"), EX_UNAVAILABLE, ["database.dsn", "127.0.0.2:"]),
        (with_wrong_database_password, EX_UNAVAILABLE, ["database.password", "authentication"]),
        (edited('"state"', '"/dev/null/state"'), EX_CONFIG, ["state_directory"]),
    ],
)
async def test_a_mistake_is_told_in_one_sentence(
    fake: FakeMydevices,
    database: Database,
    tmp_path: Path,
    mistake: Edit,
    code: int,
    words: list[str],
) -> None:
    path = await configured_for(fake, tmp_path, database)
    mistake(path)
    async with forked(path) as daemon:
        assert await daemon.process.wait() == code
        await daemon.end()
    told = [line for line in daemon.said if line.startswith("harvester: ")]
    assert len(told) == 1
    assert all(word in told[0] for word in words), told
    assert "Traceback" not in "".join(daemon.said)


async def test_a_port_in_use_is_told(
    fake: FakeMydevices, database: Database, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        path = await configured_for(fake, tmp_path, database, web_port=port)
        async with forked(path) as daemon:
            assert await daemon.process.wait() == EX_UNAVAILABLE
            await daemon.end()
    [told] = [line for line in daemon.said if line.startswith("harvester: ")]
    assert f"web.port: 127.0.0.1:{port} is in use" in told
    assert not any("database ready" in line for line in daemon.said)


async def test_a_second_daemon_on_one_state_directory_is_refused(
    fake: FakeMydevices, database: Database, tmp_path: Path
) -> None:
    path = await configured_for(fake, tmp_path, database)
    async with forked(path) as first:
        await first.ready()
        async with forked(path) as second:
            assert await second.process.wait() == EX_TEMPFAIL
            await second.end()
        assert "Another harvester runs on the state directory" in "".join(second.said)
        assert await first.end() == 0
