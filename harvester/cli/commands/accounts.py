"""Accounts by hand."""

from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.commands.options import DEFAULT_CONFIG, ConfigFile

_TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="As it is configured.")]
_User = Annotated[str, typer.Argument(metavar="USER", help="A user of it, as it is configured.")]
_PasswordFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Read the password from a file instead of the terminal, without one newline at its "
        "end; /dev/stdin takes it from a pipe.",
    ),
]
_KeepPassword = Annotated[
    bool,
    typer.Option(
        "--keep-password",
        help="Keep the password in the database, sealed, for when the token can be renewed no "
        "more. Without it none is kept, and one kept before is forgotten.",
    ),
]


def login(
    tenant: _TenantName,
    user: _User,
    config_file: ConfigFile = DEFAULT_CONFIG,
    password_file: _PasswordFile = None,
    keep_password: _KeepPassword = False,
) -> None:
    """Log an account in with its password, and save the token.

    This is for an account without a password in the configuration, and for one that its platform
    refused. The password is asked for and not shown, and it is sent once. A running daemon takes
    the token up by itself.

    A database that is empty is made ready first; one that an older harvester made is left to
    harvester migrate.

    \b
    Example: harvester login acme ana@acme.example --config config.toml
    """
    from harvester.cli import accounts as work

    work.login(config_file, tenant, user, password_file, keep_password=keep_password)


def logout(tenant: _TenantName, user: _User, config_file: ConfigFile = DEFAULT_CONFIG) -> None:
    """End an account's token, and forget it and the kept password.

    It is ended at its platform too. Not every platform can do that: it is told where one lives on
    until it ends by itself. A running daemon goes on with the token that it holds for as long.

    \b
    Example: harvester logout acme ana@acme.example --config config.toml
    """
    from harvester.cli import accounts as work

    work.logout(config_file, tenant, user)
