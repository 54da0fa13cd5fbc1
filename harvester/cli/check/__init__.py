"""Whether all is there that the daemon needs; nothing is changed, and no token is burnt."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from harvester import config, shown
from harvester.cli.check.findings import Finding, Subject
from harvester.cli.check.keeping import kept
from harvester.cli.check.probing import probed
from harvester.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile
from harvester.clock import SystemClock
from harvester.config import Settings
from harvester.errors import ConfigError


def check(as_json: AsJson = False, config_file: ConfigFile = DEFAULT_CONFIG) -> None:
    """Look whether all is there that the daemon needs.

    Nothing is changed, and nobody logs in. The configuration is read, the key file opened, the
    database reached, and each tenant's platform asked for any answer. Of an account, a token
    that is held and still good is tried with one read. Where there is none, its login is "unknown
    until login", which is no fault while a password or a refresh token can get one. A platform
    that does not answer costs ten seconds, however many do not.

    Ends with 0 where nothing is wrong; else with the code of the first thing that is: 78 for
    the configuration or the key file, 69 for the database or a platform, 77 for an account.

    \b
    Example: harvester check --config config.toml
    """
    findings = _findings(config_file)
    if as_json:
        shown.write_json(
            {"what": each.what, "name": each.name, "state": each.state, "told": each.told}
            for each in findings
        )
    else:
        cells = ((each.what, each.name, each.state, each.told) for each in findings)
        shown.console().print(shown.table(cells, "what", "name", "state", ""))
    raise typer.Exit(next((each.exit_code for each in findings if each.exit_code), 0))


def _findings(config_file: Path) -> list[Finding]:
    subject = Subject("configuration", str(config_file))
    try:
        settings = config.load(config_file)
    except ConfigError as error:
        lines = str(error).splitlines()
        return [subject.wrong(line.removeprefix(f"{config_file}: ")) for line in lines]
    accounts = sum(len(each.accounts) for each in settings.tenants)
    told = f"{len(settings.tenants)} tenants, {accounts} accounts"
    return [subject.ok(told), *asyncio.run(_outside(settings))]


async def _outside(settings: Settings) -> list[Finding]:
    clock = SystemClock()
    of_keeping = await kept(settings, clock.now())
    of_tenants = await asyncio.gather(
        *(probed(each, of_keeping.logins, clock) for each in settings.tenants)
    )
    return of_keeping.findings + [each for findings in of_tenants for each in findings]
