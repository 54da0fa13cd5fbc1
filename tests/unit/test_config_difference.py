"""What another reading of a configuration changes, in names and keys."""

from pathlib import Path

import pytest
from configured import TENANT, settings

from harvester.config.difference import difference, needing_restart

ACCOUNTS = """
[[tenant.account]]
user = "ana@acme.example"
password = { file = "secret" }
[[tenant.account]]
user = "bo"
"""
HEAD = 'state_directory = "state"\n'


def changed(folder: Path, before: str, after: str) -> tuple[list[str], list[str], list[str]]:
    """Added, changed and removed."""
    (folder / "secret").write_text("hunter2")
    held = settings(folder / "config.toml", HEAD + before)
    (folder / "secret").write_text("hunter3" if "# another secret" in after else "hunter2")
    found = difference(held.tenants, settings(folder / "config.toml", HEAD + after).tenants)
    assert "hunter" not in repr(found)
    return (
        [each.name for each in found.added],
        [f"{each.name}: {', '.join(keys)}" for each, keys in found.changed],
        list(found.removed),
    )


@pytest.mark.parametrize(
    ("after", "keys"),
    [
        (TENANT.replace('"5m"', '"10m"') + ACCOUNTS, "interval"),
        (TENANT.replace('"app"', '"other"') + ACCOUNTS, "options.client_id"),
        (TENANT + ACCOUNTS.replace('"bo"', '"cy"'), "account.bo, account.cy"),
        (TENANT + ACCOUNTS + "# another secret", "account.ana@acme.example.password"),
        (TENANT + ACCOUNTS + 'password = { file = "secret" }', "account.bo.password"),
        (TENANT.replace('"24h"', '"7d"') + ACCOUNTS + "# another secret", "history, "),
    ],
)
def test_a_change_is_told_by_its_keys(tmp_path: Path, after: str, keys: str) -> None:
    added, [told], removed = changed(tmp_path, TENANT + ACCOUNTS, after)
    assert (added, removed) == ([], [])
    assert told.startswith(f"acme: {keys}")


def test_tenants_come_and_go_by_name(tmp_path: Path) -> None:
    other = TENANT.replace('"acme"', '"globex"')
    assert changed(tmp_path, TENANT + ACCOUNTS, other) == (["globex"], [], ["acme"])


@pytest.mark.parametrize(
    "after",
    [
        TENANT + ACCOUNTS,
        TENANT.replace('"5m"', '"300s"') + ACCOUNTS,
        "# a comment\n" + TENANT + ACCOUNTS,
        TENANT
        + "[[tenant.account]]\nuser = 'bo'\n"
        + ACCOUNTS.partition('[[tenant.account]]\nuser = "bo"')[0],
    ],
)
def test_what_means_the_same_is_no_change(tmp_path: Path, after: str) -> None:
    assert changed(tmp_path, TENANT + ACCOUNTS, after) == ([], [], [])


def test_what_only_a_restart_changes_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    held = settings(file, HEAD + TENANT)
    wanted = settings(
        file,
        'state_directory = "elsewhere"\ndeployment = "other"\n[web]\nport = 1\n'
        '[database]\ndsn = "postgresql://db.example/x"\n' + TENANT.replace('"5m"', '"10m"'),
    )
    keys = ["deployment", "state_directory", "database.dsn", "web.port"]
    assert needing_restart(held, wanted) == keys
    assert needing_restart(held, held) == []
