"""Whether all is there that the daemon needs; nothing is changed, and no token is burnt."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from harvester import config, shown
from harvester.cli.check.findings import Finding, Subject
from harvester.cli.check.horizon import horizons
from harvester.cli.check.keeping import kept
from harvester.cli.check.probing import probed
from harvester.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, duration
from harvester.clock import SystemClock
from harvester.config import Settings
from harvester.errors import ConfigError

IfDownFor = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="Tell which accounts would need a person after so long a pause.",
        show_default=False,
    ),
]


def check(
    if_down_for: IfDownFor = None,
    as_json: AsJson = False,
    config_file: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Look whether all is there that the daemon needs.

    Nothing is changed, and nobody logs in. The configuration is read, the key file opened, the
    database reached, and each tenant's platform asked for any answer. Of an account, a token
    that is held and still good is tried with one read. Where there is none, its login is "unknown
    until login", which is no fault while a password or a refresh token can get one. A platform
    that does not answer costs ten seconds, however many do not.

    With --if-down-for no platform is asked. Of each account it is told instead whether a person
    would have to log it in once the daemon was down for so long, beginning now.

    Ends with 0 where nothing is wrong; else with the code of the first thing that is: 78 for
    the configuration or the key file, 69 for the database or a platform, 77 for an account.

    \b
    Examples:
      harvester check --config config.toml
      harvester check --if-down-for 36h
    """
    down = duration(if_down_for, "--if-down-for") if if_down_for is not None else None
    findings = _findings(config_file, down)
    if as_json:
        shown.write_json(
            {"what": each.what, "name": each.name, "state": each.state, "told": each.told}
            for each in findings
        )
    else:
        cells = ((each.what, each.name, each.state, each.told) for each in findings)
        shown.console().print(shown.table(cells, "what", "name", "state", ""))
    raise typer.Exit(next((each.exit_code for each in findings if each.exit_code), 0))


def _findings(config_file: Path, down: timedelta | None) -> list[Finding]:
    subject = Subject("configuration", str(config_file))
    try:
        settings = config.load(config_file)
    except ConfigError as error:
        lines = str(error).splitlines()
        return [subject.wrong(line.removeprefix(f"{config_file}: ")) for line in lines]
    accounts = sum(len(each.accounts) for each in settings.tenants)
    told = f"{len(settings.tenants)} tenants, {accounts} accounts"
    return [subject.ok(told), *asyncio.run(_outside(settings, down))]


async def _outside(settings: Settings, down: timedelta | None) -> list[Finding]:
    clock = SystemClock()
    of_keeping = await kept(settings)
    if down is not None:
        until = clock.now() + down
        return of_keeping.findings + list(horizons(settings, of_keeping.logins, until))
    of_tenants = await asyncio.gather(
        *(probed(each, of_keeping.logins, clock) for each in settings.tenants)
    )
    return of_keeping.findings + [each for findings in of_tenants for each in findings]
