"""What all commands have in common: help, mistakes in their words, a reader that leaves."""

from __future__ import annotations

import asyncio
import os
import re
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from acceptance.commands import (
    EX_CONFIG,
    EX_USAGE,
    HARVESTER,
    harvester,
    installed,
    outcome,
    started,
)

COMMANDS = ["run", "check", "status", "gaps", "query", "migrate", "login", "logout", "simulate"]


async def test_help_names_every_command_and_how_to_begin() -> None:
    ended = await installed("--help", TERM="dumb", NO_COLOR="1")
    listed = re.findall(r"^  (\w+) ", ended.out.partition("Commands:")[2], re.M)
    assert (ended.code, sorted(listed)) == (0, sorted([*COMMANDS, "keys"]))
    assert "harvester check --config config.toml" in ended.out
    assert "..." not in ended.out.partition("Commands:")[2], "a summary is cut"


async def test_help_waits_for_no_library_that_only_work_needs() -> None:
    ended = await installed("--help", PYTHONPROFILEIMPORTTIME="1")
    names = [line.rpartition("|")[2].strip() for line in ended.err.splitlines()]
    imported = {name.partition(".")[0] for name in names}
    assert "typer" in imported
    assert (
        imported & {"aiohttp", "asyncpg", "cryptography", "pydantic", "rich", "structlog"} == set()
    )


@pytest.mark.parametrize("command", [*COMMANDS, "keys generate"])
async def test_each_command_explains_itself_in_80_columns_with_an_example(command: str) -> None:
    ended = await installed(*command.split(), "--help", COLUMNS="80")
    assert ended.code == 0
    assert re.search(rf"Examples?:\s+harvester {command}", ended.out)
    assert max(len(line) for line in ended.out.splitlines()) <= 80
    assert "\x1b" not in ended.out


async def test_the_version_is_told() -> None:
    ended = await installed("--version")
    assert re.fullmatch(r"harvester \d+\.\d+\.\d+\n", ended.out)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["staus"], "'status'"),
        (["status", "--wtch"], "--watch"),
        (["gaps", "--limit", "many"], "--limit"),
        (["gaps", "--limit", "99999999999999999999"], "--limit"),
        (["query", "latest_temprature"], "did you mean latest_temperature?"),
        (["query", "--json", "--csv"], "choose one"),
        (["gaps", "--since", "2026-03-04T10:00:00"], "2026-03-04T10:00:00Z, or with +01:00"),
        (["gaps", "--since", "yesterday"], "24h"),
        (["gaps", "--kind", "lose"], "did you mean lost?"),
        (["login"], "TENANT"),
        (["keys"], "harvester keys --help"),
    ],
)
async def test_a_wrong_word_is_told_in_one_line_with_the_nearest(
    words: list[str], told: str
) -> None:
    ended = await harvester(*words)
    assert (ended.code, ended.out) == (EX_USAGE, "")
    assert ended.err.startswith("harvester: ")
    assert told in ended.err
    assert ended.err.count("\n") == 1


async def test_without_a_command_there_is_help_but_no_success() -> None:
    ended = await installed()
    assert (ended.code, ended.out) == (EX_USAGE, "")
    assert "Commands:" in ended.err


@pytest.mark.parametrize("command", ["check", "migrate", "status", "gaps"])
async def test_a_configuration_that_is_not_there_is_told(tmp_path: Path, command: str) -> None:
    ended = await harvester(command, config=tmp_path / "config.toml")
    assert ended.code == EX_CONFIG
    assert "there is no such file" in ended.said


@pytest.mark.parametrize("words", [["--help"], ["query"], ["check", "--json"]])
async def test_a_reader_that_leaves_is_no_error(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = await started(*words, stdout=writing, variables={"PYTHONUNBUFFERED": ""})
    os.close(writing)
    ended = await outcome(process)
    assert (ended.code, ended.err) == (1, "")


@pytest.mark.parametrize("words", [["--help"], ["query"], ["check", "--json"]])
async def test_a_full_disk_under_the_output_is_told(words: list[str]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    process = await started(*words, stdout=full)
    os.close(full)
    ended = await outcome(process)
    told = "harvester: cannot write: No space left on device.\n"
    assert (ended.code, ended.err) == (os.EX_IOERR, told)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("query <&- >&- 2>&-", 0),
        ("check <&- >&-", EX_CONFIG),
        ("login acme ana <&- 2>&-", EX_CONFIG),
        ("staus >&-", EX_USAGE),
    ],
)
async def test_closed_streams_change_nothing(command: str, code: int) -> None:
    process = await asyncio.create_subprocess_shell(
        f'"$HARVESTER" {command}', env=os.environ | {"HARVESTER": str(HARVESTER)}, stderr=PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == code
    assert b"Traceback" not in err
