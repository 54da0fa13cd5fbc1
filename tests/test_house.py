"""The rules of the house that no tool checks for us.

Floors and circles are import-linter's, clocks are ruff's (banned-api): see pyproject.toml.
"""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parent.parent
ROOMS = {path: ast.parse(path.read_bytes()) for path in sorted(ROOT.glob("harvester/**/*.py"))}
BAD_CLASS = re.compile(r"(Manager|Helper|Util|Utils|Handler|Factory|Service)$")
BAD_ROOMS = {"utils", "helpers", "common", "types", "misc"}
# The brackets keep these patterns from matching themselves.
ELSEWHERE = re.compile(
    r"[p]ypi\.org|[p]ythonhosted\.org|[r]egistry\.npmjs|[c]rates\.io|[p]roxy\.golang"
    r"|[r]epo1?\.maven|[d]eb\.debian\.org|[a]rchive\.ubuntu\.com"
    r"|[/](?:home|root|Users|work)/\w"
)
# Imports each in a process of its own, forked after the libraries are loaded.
IMPORT_EACH_ALONE = """
import gc, importlib, os, sys
libraries, modules = sys.argv[1].split(), sys.argv[2].split()
for name in libraries:
    importlib.import_module(name)
gc.disable()
gc.freeze()
for name in modules:
    if os.fork() == 0:
        importlib.import_module(name)
        os._exit(0)
    if os.wait()[1]:
        sys.exit(f"{name} cannot be imported alone")
"""


Node = TypeVar(
    "Node", ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Import, ast.ImportFrom
)


def nodes(kind: type[Node]) -> Iterator[tuple[str, Node]]:
    for path, tree in ROOMS.items():
        for node in ast.walk(tree):
            if isinstance(node, kind):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def lengths(
    functions: Iterable[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]],
) -> dict[str, int]:
    """In lines, without decorators."""
    return {
        f"{at} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for at, node in functions
    }


def our_files() -> Iterator[Path]:
    ignored = {".git", *(line.strip("/") for line in (ROOT / ".gitignore").read_text().split())}
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in ignored]
        yield from (Path(folder, name) for name in names)


def imported_modules() -> set[str]:
    """Of others, as our imports name them."""
    names = {alias.name for _, node in nodes(ast.Import) for alias in node.names}
    names |= {node.module for _, node in nodes(ast.ImportFrom) if node.module and not node.level}
    return {name for name in names if name.partition(".")[0] != "harvester"}


def imported_libraries() -> set[str]:
    return {name.partition(".")[0] for name in imported_modules()} - sys.stdlib_module_names


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = (project["optional-dependencies"][name] for name in extras)
    lines = sum(extra, start=project["dependencies"])
    return {plain(re.split(r"[<>=!~;\[ ]", line)[0]) for line in lines}


def test_names_say_what_a_thing_is() -> None:
    assert [at for at, node in nodes(ast.ClassDef) if BAD_CLASS.search(node.name)] == []
    assert [path for path in ROOMS if path.stem in BAD_ROOMS] == []


def test_files_and_functions_are_short() -> None:
    files = {path: len(path.read_text().splitlines()) for path in ROOMS}
    assert {path: lines for path, lines in files.items() if lines >= 300} == {}
    functions = lengths(nodes(ast.FunctionDef)) | lengths(nodes(ast.AsyncFunctionDef))
    long = {name: lines for name, lines in functions.items() if lines >= 35}
    assert {name: lines for name, lines in long.items() if lines > 50} == {}
    assert len(long) <= len(functions) / 10, long


def test_each_room_can_be_imported_alone_without_a_warning() -> None:
    # One way in for each folder; that there is no circle inside of one, import-linter tells.
    folders = {path.parent.relative_to(ROOT) for path in ROOMS}
    names = sorted(".".join(folder.parts) for folder in folders)
    names += [f"harvester.{path.stem}" for path in ROOMS if path.parent.name == "harvester"]
    names = [name for name in names if not name.endswith("__init__")]
    program = [sys.executable, "-W", "error", "-c", IMPORT_EACH_ALONE]
    lists = [" ".join(sorted(imported_modules())), " ".join(names)]
    ended = subprocess.run(program + lists, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_what_is_imported_is_declared() -> None:
    owners = packages_distributions()
    known = declared("embedded")
    imported = imported_libraries()
    assert {name for name in imported if not known & set(map(plain, owners.get(name, ())))} == set()


def test_each_dependency_is_explained_and_pinned() -> None:
    text = (ROOT / "docs/dependencies.md").read_text()
    apart = set(re.findall(r"([\w-]+)==[\d.]+", (ROOT / ".ci/venv").read_text()))
    assert set(re.findall(r"^- \*\*([\w-]+)\*\*", text, re.M)) == apart | declared(
        "embedded", "dev"
    )
    pins = [
        line
        for file in ("constraints.txt", ".ci/coiote.txt")
        for line in (ROOT / file).read_text().splitlines()
        if not line.startswith("#")
    ]
    assert [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert declared("embedded", "dev") <= {plain(line.partition("==")[0]) for line in pins}


def test_no_file_names_a_package_registry_or_somebodys_machine() -> None:
    found = {}
    for path in our_files():
        if match := ELSEWHERE.search(path.read_text(errors="replace")):
            found[str(path.relative_to(ROOT))] = match[0]
    assert found == {}
