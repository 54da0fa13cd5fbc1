"""The daemon, what stands around it, and a platform to try it on."""

from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.commands.options import DEFAULT_CONFIG, AsJson, ConfigFile

IfDownFor = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="Tell which accounts would need a person after so long a pause.",
        show_default=False,
    ),
]
_Port = Annotated[
    int,
    typer.Option(
        help="Where the first platform listens; each other has the next one. 0: any that is free.",
        min=0,
        max=65535,
    ),
]
_Folder = Annotated[
    Path | None,
    typer.Option(
        help="Where config.toml and the files with its secrets are written. "
        "Without it: a new folder among the temporary ones.",
        metavar="DIR",
    ),
]
_File = Annotated[
    Path | None,
    typer.Option(
        help="Publish what a CSV holds instead of invented readings, so that the newest is of "
        "now. Its first line is device,channel,instant,value; instants are ISO 8601 with a zone "
        "and kept to the millisecond, a value is a number or text.",
        metavar="FILE",
    ),
]
_AsRecorded = Annotated[
    bool, typer.Option("--as-recorded", help="Leave the instants of --replay as they are.")
]


def run(config_file: ConfigFile = DEFAULT_CONFIG) -> None:
    """Harvest until stopped by SIGTERM or Ctrl-C.

    At SIGHUP the configuration is read again, and what changed in it is applied.

    \b
    Example: harvester run --config config.toml
    """
    from harvester.cli import run as work

    work.run(config_file)


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
    from harvester.cli import check as work

    work.check(config_file, if_down_for, as_json)


def migrate(config_file: ConfigFile = DEFAULT_CONFIG) -> None:
    """Bring the database to the schema of this program.

    What is missing is applied, each file in a transaction of its own, and named. The daemon does
    the same when it starts; here it can be done beforehand, or by hand. Two at once do no harm:
    one waits for the other.

    \b
    Example: harvester migrate --config config.toml
    """
    from harvester.cli import migrate as work

    work.migrate(config_file)


def simulate(
    port: _Port = 0,
    folder: _Folder = None,
    replay: _File = None,
    as_recorded: _AsRecorded = False,
) -> None:
    """Serve each platform as a fake on 127.0.0.1, until Ctrl-C.

    Writes a configuration that harvests the fakes, and prints the command that runs it. The fakes
    speak for invented customers, who are on every platform with the same devices, have thirty
    hours of readings, and get new ones every few seconds; or, with --replay, for one customer
    with the readings of a file. Of all these DeviceHive has those of the last two minutes and
    Coiote those of the last thirty days, as they forget the others.

    \b
    Examples:
      harvester simulate --folder trial
      harvester simulate --replay readings.csv
    """
    from harvester.cli import simulate as work

    work.simulate(port, folder, replay, as_recorded)
