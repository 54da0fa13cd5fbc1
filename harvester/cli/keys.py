"""The keys that seal what is secret in the database."""

import asyncio
import json
import os
from pathlib import Path

import typer

from harvester import config, vault
from harvester.config import Settings
from harvester.errors import ConfigError, UserError
from harvester.service.database import reading
from harvester.service.resealing import Found, Resealing
from harvester.vault import KeyFile

MOST_TOLD = 20
"""Of what cannot be opened so many are named."""
NEXT = """\
Next: let every daemon read the file again, by a reload, or by a restart where it has a copy; until
then it may seal under an old key. Leave the old keys in the file as long as you keep backups that
they sealed, and keep a copy of the file apart from the database."""


def generate(file: Path) -> None:
    """Raises UserError where it cannot be made, or is there already."""
    try:
        made = vault.create(file)
    except OSError as error:
        raise UserError(
            f"The key file {file} cannot be made: {error.strerror}. The folder must be there, and "
            "yours to write to.",
            os.EX_CANTCREAT,
        ) from None
    if not made:
        raise UserError(
            f"{file} is there already, and stays as it is: what it seals would be lost with it. "
            "Name another file.",
            os.EX_CANTCREAT,
        )
    typer.echo(
        f"Made {file} with one new key; only its owner may read it. Name it in the configuration:\n"
        f"\n    key_file = {json.dumps(str(file.absolute()), ensure_ascii=False)}\n\n"
        "Keep a copy apart from the database: who loses it must log in every account again, and "
        "who has\nboth can log in as every account."
    )


def rotate(config_file: Path, *, prepare: bool) -> None:
    """Raises ConfigError, UserError."""
    settings = config.load(config_file)
    file = _file(settings)
    file.load()
    with file.locked():
        if prepare:
            _prepare(file)
        else:
            asyncio.run(_rotate(settings, file))


def _file(settings: Settings) -> KeyFile:
    if not isinstance(settings.keys, KeyFile):
        raise ConfigError(
            f"{settings.keys} holds the keys, and nothing but a file can be written anew: put them "
            'into one, and name it as key_file = "…".'
        )
    return settings.keys


def _prepare(file: KeyFile) -> None:
    there = file.waiting()
    key_id = there or file.prepare()
    typer.echo(
        f"{key_id} {'was' if there else 'is'} in {file} as the next key: it seals nothing yet.\n"
        "Let every daemon read the file again, by a reload, or by a restart where it has a copy. "
        "Then:\nharvester keys rotate"
    )


async def _rotate(settings: Settings, file: KeyFile) -> None:
    async with reading(settings) as pool:
        found = await Resealing(pool, file.load(), settings.deployment).look()
        _refuse_wrong(file, found)
        _turn(file, found)
        resealing = Resealing(pool, file.load(), settings.deployment)
        _tell(await resealing.reseal(), await resealing.look())


def _refuse_wrong(file: KeyFile, found: Found) -> None:
    if found.broken and not found.values:
        raise ConfigError(
            f"{file} opens nothing of what lies in the database, for instance {found.broken[0]}. "
            "Nothing was changed. Bring back the right key file, from a copy, or mend `deployment`."
        )


def _turn(file: KeyFile, found: Found) -> None:
    """Give the file another first key, unless the last one is not at its end yet."""
    sealing, waiting = file.load().sealing, file.waiting()
    if not waiting and found.values.keys() - {sealing}:
        typer.echo(f"The rotation to {sealing} is not at its end: it goes on, without a new key.")
        return
    if not waiting and file.is_credential():
        raise UserError(
            f"{file} is a credential, of which each daemon has a copy since its start: it would "
            "not know a new key. First: harvester keys rotate --prepare, and restart every daemon.",
            os.EX_USAGE,
        )
    typer.echo(f"{file.rotate()} is the first key in {file} now.")


def _tell(count: int, left: Found) -> None:
    """Raises ConfigError where values were left as they are."""
    sealed = ", ".join(f"{number} under {key_id}" for key_id, number in left.values.items())
    typer.echo(f"Sealed anew: {count}. In the database now: {sealed or 'nothing sealed'}.\n{NEXT}")
    if left.broken:
        more = len(left.broken) - MOST_TOLD
        named = [*left.broken[:MOST_TOLD], *([f"and {more} more"] if more > 0 else [])]
        raise ConfigError("\n  ".join(["What no key opens was left as it is:", *named]))
