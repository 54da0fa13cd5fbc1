"""Secrets come by reference only, and never show."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from harvester.config import Settings, load
from harvester.errors import ConfigError
from harvester.vault import KeyFile, KeyVariable, OwnKeyFile

BESIDE = "{ file = 'pw' }"
KEY_FILE = 'key_file: takes a path in quotes, { credential = "…" } or { env = "…" }'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "harvester.toml"


def settings(
    file: Path, *, head: str = "", database: str = BESIDE, client: str = BESIDE
) -> Settings:
    file.write_text(f"""
{head}
[database]
dsn = "postgresql://harvester@db.example/harvester"
password = {database}
[[tenant]]
name = "acme"
platform = "mydevices"
interval = "5m"
history = "24h"
[tenant.options]
client_id = "app"
client_secret = {client}
[[tenant.account]]
user = "ops@acme.example"
password = {BESIDE}
""")
    return load(file)


def complaints(file: Path, **references: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings(file, **references)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None
    return [line.removeprefix(f"{file}: ") for line in str(caught.value).splitlines()]


def secret(found: SecretStr | None) -> str:
    assert found
    return found.get_secret_value()


def test_a_secret_is_found_and_does_not_show(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file.parent / "pw").write_text("hunter2\n")
    (file.parent / "client").write_text("hunter2 \r\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(file.parent))
    monkeypatch.setenv("DB_PASSWORD", "hunter2\n\n")
    found = settings(file, database='{ env = "DB_PASSWORD" }', client='{ credential = "client" }')
    assert secret(found.tenants[0].accounts[0].password) == "hunter2"
    assert secret(found.database.password) == "hunter2\n"
    assert getattr(found.tenants[0].options, "client_secret").get_secret_value() == "hunter2 "  # noqa: B009
    assert "hunter2" not in f"{found!r} {found} {found.model_dump()}"


def test_each_secret_that_cannot_be_had_is_told_with_its_key(file: Path) -> None:
    at = file.parent
    assert complaints(file, database='{ env = "UNSET_PW" }', client='{ credential = "c" }') == [
        "database.password: the environment variable UNSET_PW is not set; "
        "set it where harvester is started",
        "tenant.acme.options.client_secret: $CREDENTIALS_DIRECTORY is not set: systemd sets it "
        "(LoadCredential= in the unit); on a command line set it to the folder that holds the "
        "credentials",
        f'tenant.acme.account."ops@acme.example".password: the secret file {at}/pw does not exist; '
        "create it, or mend the path",
    ]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty", b"", "is empty; put the secret into it"),
        ("newline", b"\n", "is empty; put the secret into it"),
        ("bytes", b"hunter2\xff", "is no text in UTF-8"),
        ("long", b"hunter2" * 10_000, "is too long for a secret"),
        (".", None, "is a directory; name a file in it"),
        ("pw/below", None, "cannot be read: Not a directory"),
    ],
)
def test_a_file_that_holds_no_secret(
    file: Path, name: str, content: bytes | None, sentence: str
) -> None:
    (file.parent / "pw").write_text("hunter2")
    if content is not None:
        (file.parent / name).write_bytes(content)
    [told] = complaints(file, database=f"{{ file = {name!r} }}")
    assert told == f"database.password: the secret file {file.parent / name} {sentence}"


def test_a_pipe_is_not_waited_for(file: Path) -> None:
    (file.parent / "pw").write_text("hunter2")
    os.mkfifo(file.parent / "pipe")
    [told] = complaints(file, database="{ file = 'pipe' }")
    assert told.endswith("pipe cannot be read: it is no regular file")


def test_a_credential_cannot_leave_its_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file.parent / "pw").write_text("hunter2")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(file.parent / "credentials"))
    assert complaints(file, database='{ credential = "../pw" }') == [
        'database.password: a credential is a bare name; for a path use { file = "…" }'
    ]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("absent", None, "does not exist; create it, or mend the path"),
        (".empty", b"", "is empty; put the secret into it"),
        ("newline", b"\n", "is empty; put the secret into it"),
        ("folder", None, "is a directory; name a file in it"),
    ],
)
def test_a_credential_that_holds_no_secret(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes | None, sentence: str
) -> None:
    (file.parent / "pw").write_text("hunter2")
    credentials = file.parent / "credentials"
    (credentials / "folder").mkdir(parents=True)
    if content is not None:
        (credentials / name).write_bytes(content)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert complaints(file, database=f"{{ credential = {name!r} }}") == [
        f"database.password: the secret file {credentials / name} {sentence}"
    ]


@pytest.mark.parametrize(
    "written",
    ["'hunter2'", "{ file = 'pw', env = 'hunter2' }", "{ flie = 'hunter2' }", "{ file = 1 }", "[]"],
)
def test_a_secret_that_is_no_reference_is_refused_and_not_shown(file: Path, written: str) -> None:
    (file.parent / "pw").write_text("hunter2")
    by_reference = (
        'give a secret by reference: { file = "…" }, { env = "…" } or { credential = "…" }'
    )
    assert complaints(file, database=written, client=written) == [
        f"database.password: {by_reference}",
        f"tenant.acme.options.client_secret: {by_reference}",
    ]


def test_the_key_file_may_be_a_credential_and_stays_a_path(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file.parent / "pw").write_text("hunter2")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "credentials")
    monkeypatch.chdir(file.parent)
    found = settings(file, head='key_file = { credential = "keys" }')
    assert found.keys == KeyFile(file.parent / "credentials/keys")


def test_the_key_file_may_be_a_path_a_variable_or_left_out(file: Path) -> None:
    (file.parent / "pw").write_text("hunter2")
    assert settings(file, head='key_file = "k"').keys == KeyFile(file.parent / "k")
    assert settings(file, head='key_file = { env = "HARVESTER_KEYS" }').keys == (
        KeyVariable("HARVESTER_KEYS")
    )
    assert settings(file, head='state_directory = "s"').keys == OwnKeyFile(file.parent / "s/keys")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('{ credential = "keys" }', "key_file: $CREDENTIALS_DIRECTORY is not set"),
        ('{ file = "pw" }', KEY_FILE),
        ('{ flie = "pw" }', KEY_FILE),
        ("1", KEY_FILE),
        ('""', "key_file: takes a path; to leave it to harvester, leave the key out"),
    ],
)
def test_another_reference_to_the_key_file_is_refused(file: Path, written: str, told: str) -> None:
    (file.parent / "pw").write_text("hunter2")
    [complaint] = complaints(file, head=f"key_file = {written}")
    assert complaint.startswith(told)


def test_a_reference_is_for_secrets_only(file: Path) -> None:
    (file.parent / "pw").write_text("hunter2")
    file.write_text('[web]\nhost = { file = "pw" }\n')
    with pytest.raises(ConfigError, match=r"web\.host: takes a plain value, not a reference"):
        load(file)


def test_a_password_needs_a_dsn(file: Path) -> None:
    (file.parent / "pw").write_text("hunter2")
    file.write_text('[database]\npassword = { file = "pw" }\n')
    with pytest.raises(ConfigError, match="database: has a password but no dsn"):
        load(file)


def test_the_example_is_right_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = Path(__file__).parents[2] / "config.example.toml"
    copy = tmp_path / "harvester.toml"
    copy.write_text(example.read_text())
    users = ("globex-reader", "initech-harvest", "umbra-harvest")
    for name in ("db-password", "client-secret", "ops-password", *users):
        (tmp_path / name).write_text("hunter2\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("ACME_ADMIN_PASSWORD", "hunter2")
    found = load(copy)
    assert [tenant.name for tenant in found.tenants] == ["acme", "globex", "initech", "umbra"]
    assert all(tenant.polled_every == tenant.interval for tenant in found.tenants)
    assert found.database.dsn
