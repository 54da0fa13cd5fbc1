"""A running daemon takes up keys that were rotated meanwhile, and keeps those it has."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from keys import NEW, OLD
from structlog.testing import capture_logs

from harvester.errors import ConfigError, KeyMissing
from harvester.simulator.clock import HandClock
from harvester.vault import Context, KeyRing, Keys

OWNER = Context("harvester", "acme", "ops@acme.example", "refresh_token")
FIRST = KeyRing({"old": OLD})
BOTH = KeyRing({"new": NEW, "old": OLD})
SEALED = BOTH.seal("secret", OWNER)
STRANGE = KeyRing({"strange": b"s" * 32}).seal("secret", OWNER)


@dataclass
class Source:
    """What a file would hold; `reads` counts."""

    ring: KeyRing | None = FIRST
    reads: int = 0

    def load(self) -> KeyRing:
        self.reads += 1
        if self.ring is None:
            raise ConfigError("keys: this key file does not exist")
        return self.ring


@dataclass
class Daemon:
    source: Source
    clock: HandClock
    keys: Keys


@pytest.fixture
def daemon() -> Daemon:
    source, clock = Source(), HandClock(datetime(2026, 3, 4, 10, tzinfo=UTC))
    return Daemon(source, clock, Keys(source.load, clock))


async def test_a_value_under_a_key_that_came_later_opens_and_the_next_is_sealed_under_it(
    daemon: Daemon,
) -> None:
    daemon.source.ring = BOTH
    assert daemon.keys.seal("x", OWNER).key_id == "old"
    opened = await asyncio.gather(*(daemon.keys.open(SEALED, OWNER) for _ in range(20)))
    assert set(opened) == {"secret"}
    assert daemon.source.reads == 2, "once at the start, and once for all of them"
    assert daemon.keys.seal("x", OWNER).key_id == "new"


async def test_a_key_that_is_nowhere_is_looked_for_every_few_seconds_only(daemon: Daemon) -> None:
    for _ in range(3):
        with pytest.raises(KeyMissing):
            await daemon.keys.open(STRANGE, OWNER)
    assert daemon.source.reads == 2
    daemon.clock.advance(timedelta(seconds=5))
    daemon.source.ring = BOTH
    assert await daemon.keys.open(SEALED, OWNER) == "secret"


async def test_a_source_that_broke_leaves_the_old_keys_and_is_told_once(daemon: Daemon) -> None:
    daemon.source.ring = None
    with capture_logs() as told:
        for _ in range(3):
            with pytest.raises(KeyMissing):
                await daemon.keys.open(SEALED, OWNER)
            daemon.clock.advance(timedelta(seconds=5))
        assert await daemon.keys.open(FIRST.seal("x", OWNER), OWNER) == "x"
        with pytest.raises(ConfigError):
            await daemon.keys.reread()
        daemon.source.ring = BOTH
        assert await daemon.keys.open(SEALED, OWNER) == "secret"
    assert [each["event"] for each in told] == ["failing", "other keys", "well again"]
    assert "does not exist" in told[0]["error"]


async def test_who_reads_again_takes_up_what_is_there(daemon: Daemon) -> None:
    daemon.source.ring = BOTH
    with capture_logs() as told:
        await daemon.keys.reread()
        await daemon.keys.reread()
    assert daemon.keys.seal("x", OWNER).key_id == "new"
    [line] = told
    assert (line["keys"], line["seals"]) == (["new", "old"], "new")


async def test_a_daemon_does_not_begin_without_its_keys(daemon: Daemon) -> None:
    daemon.source.ring = None
    with pytest.raises(ConfigError):
        Keys(daemon.source.load, daemon.clock)
