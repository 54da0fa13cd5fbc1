"""What README and docs print is true: each command is run somewhere, each name is there.

All of docs/operating.md is done in one go by acceptance/test_operating.py, and docs/new-platform.md
by test_new_platform.py; the SQL of docs/schema.md by integration/test_readers.py.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from fix_postgres import Connection

from harvester import config
from harvester.cli import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
}
DONE_AS_A_WHOLE = {"docs/operating.md", "docs/new-platform.md"}
SQL_RUN_ELSEWHERE = {*DONE_AS_A_WHOLE, "docs/schema.md"}
# In the last two is nothing to be typed: a part of a program, and what a command answers.
LANGUAGES = {"sh", "sql", "toml", "python", "text"}
TYPED = "\n".join(
    [*DOCUMENTS.values(), *(path.read_text("utf-8") for path in ROOT.glob("monitoring/*.yml"))]
)


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENTS[document], re.M | re.S)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_block_is_of_a_kind_that_is_tried(document: str) -> None:
    fences = re.findall(r"^```(.*)$", DOCUMENTS[document], re.M)
    assert set(fences[::2]) <= LANGUAGES
    assert set(fences[1::2]) <= {""}


@pytest.mark.parametrize("document", sorted(DOCUMENTS.keys() - DONE_AS_A_WHOLE))
def test_commands_in_the_documents_are_run_somewhere(document: str) -> None:
    lines = "".join(blocks(document, "sh")).splitlines()
    run = [ROOT / "Makefile", ROOT / ".ci/run", *(ROOT / "tests").rglob("test_*.py")]
    text = "\n".join(path.read_text("utf-8") for path in run)
    commands = [line.partition("  #")[0].rstrip() for line in lines]
    assert [command for command in commands if command not in text] == []


def test_the_readme_has_commands() -> None:
    assert blocks("README.md", "sh")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_configuration_is_right_as_it_is(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for text in blocks(document, "toml"):
        for _, name in re.findall(r'(file|credential) = "(.*?)"', text):
            (tmp_path / name).write_text("hunter2\n")
        for name in re.findall(r'env = "(.*?)"', text):
            monkeypatch.setenv(name, "hunter2")
        (tmp_path / "harvester.toml").write_text(text)
        assert config.load(tmp_path / "harvester.toml").tenants


@pytest.mark.parametrize("document", sorted(DOCUMENTS.keys() - SQL_RUN_ELSEWHERE))
async def test_each_query_runs(document: str, connection: Connection) -> None:
    for text in blocks(document, "sql"):
        await connection.execute(text)


async def test_each_output_that_is_shown_has_the_columns_of_its_query(
    connection: Connection,
) -> None:
    shown = re.findall(
        r"^```sql\n(.*?)^```\n\n```text\n(.*?)\n", DOCUMENTS["README.md"], re.M | re.S
    )
    assert len(shown) == 4
    for text, header in shown:
        columns = (await connection.prepare(text)).get_attributes()
        assert [each.name for each in columns] == re.split(r"\s*\|\s*", header.strip())


def test_a_query_of_the_cookbook_that_is_printed_is_the_one_that_runs() -> None:
    printed = [text for text in blocks("README.md", "sql") if text.startswith("-- ")]
    kept = [path.read_text("utf-8") for path in ROOT.glob("sql/queries/*.sql")]
    assert printed and set(printed) <= set(kept)


def test_each_command_and_option_that_is_named_is_there() -> None:
    named = re.findall(r"`harvester ([^`\n]+)`", TYPED)
    for document in DOCUMENTS:
        named += re.findall(r"^harvester (.*)", "".join(blocks(document, "sh")), re.M)
    known = typer.main.get_command(app)
    assert len(named) > 20
    assert [words for words in named if not is_known(known, words.split())] == []


def is_known(command: Any, words: list[str]) -> bool:
    if below := getattr(command, "commands", None):
        return words[0] in below and is_known(below[words[0]], words[1:])
    options = {option for each in command.params for option in each.opts}
    return {word for word in words if word.startswith("--")} <= options


def test_each_target_of_make_that_is_named_is_there() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", TYPED, re.M)) <= set(targets)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_link_leads_somewhere(document: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", DOCUMENTS[document])
    folder = (ROOT / document).parent
    assert [link for link in links if not (folder / link).exists()] == []
