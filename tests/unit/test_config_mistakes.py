"""A wrong configuration is told in sentences: where, what, and what to do."""

from pathlib import Path

import pytest
from configured import TENANT, complaints

from harvester.config import load
from harvester.errors import ConfigError

NO_HOST = "takes a host such as db.example or 127.0.0.1"
ACCOUNT = '[[tenant.account]]\nuser = "ops"\n'
WRITTEN = [
    ("", "says nothing; begin with config.example.toml"),
    ("# nothing\n", "says nothing; begin with config.example.toml"),
    ("[web]\nport = \n", "is no TOML: Invalid value (at line 2, column 8)"),
    ("[web]\n", "tenant: is missing; add a [[tenant]]"),
    ("tenant = []\n", "no tenant: there is nothing to harvest; add a [[tenant]]"),
    (TENANT + TENANT, "two tenants have the same name: acme"),
    (
        TENANT.replace("[[tenant]]", "[tenant]"),
        "tenant: takes a list of tables: write [[tenant]] instead of [tenant]",
    ),
    (
        TENANT + 2 * '[[tenant.account]]\nuser = "ops"\n',
        "tenant.acme: two accounts have the same user: ops",
    ),
    (
        TENANT.replace('"acme"', '"Acme & Co"'),
        'tenant."Acme & Co".name: takes 1 to 40 of these: a to z, 0 to 9, "_" and "-"',
    ),
    (
        TENANT.replace("mydevices", "mydevice"),
        "tenant.acme.platform: unknown platform; did you mean mydevices?",
    ),
    (
        TENANT.replace('"5m"', '"0s"'),
        "tenant.acme.interval: takes a duration longer than nothing",
    ),
    ("[web]\nport = 70000\n" + TENANT, "web.port: input should be less than or equal to 65535"),
    ("[web]\nhost = 1\n" + TENANT, "web.host: takes a text in quotes"),
    (
        '[database]\npartition = "year"\n' + TENANT,
        "database.partition: input should be 'month', 'week' or 'day'",
    ),
    (
        '[database]\ndsn = "mysql://db"\n' + TENANT,
        "database.dsn: takes postgresql://user@host/database",
    ),
    (
        'key_file = "~nobody-at-all/keys"\n' + TENANT,
        "key_file: ~ stands for no home here; write the whole path",
    ),
    (
        'deployment = "\\u0000"\n' + TENANT,
        "deployment: holds a NUL character, which no path and no database takes",
    ),
    (
        TENANT + 'client_secret = { file = "\\u0000" }\n',
        "tenant.acme.options.client_secret: holds a NUL character, which no path and no database "
        "takes",
    ),
    (
        'state_directory = ""\n' + TENANT,
        "state_directory: takes a path; to leave it to harvester, leave the key out",
    ),
    (
        TENANT + ACCOUNT + 'refresh_token = { env = "HOME" }\n',
        "tenant.acme: mydevices takes no refresh_token of an account",
    ),
    (
        TENANT + ACCOUNT + 'password = { env = "HOME" }\naccess_token = { env = "HOME" }\n',
        "tenant.acme.account.ops: takes one of password, access_token, not all",
    ),
    ('[web]\nhost = "a..b"\n' + TENANT, f"web.host: {NO_HOST}"),
    ('[database]\ndsn = "postgresql://h@a..b/h"\n' + TENANT, f"database.dsn: {NO_HOST}"),
]
UNKNOWN_KEYS = [
    ("deploymnt = 1\n" + TENANT, "deploymnt: unknown key; did you mean deployment?"),
    ("[webb]\nport = 1\n" + TENANT, "webb: unknown key; did you mean web?"),
    ("[web]\nprot = 1\n" + TENANT, "web.prot: unknown key; did you mean port?"),
    (
        TENANT.replace("interval", "intervall = 1\ninterval"),
        "tenant.acme.intervall: unknown key; did you mean interval?",
    ),
    (
        TENANT + "client_di = 1\n",
        "tenant.acme.options.client_di: unknown key; did you mean client_id?",
    ),
    (
        TENANT + '[[tenant.account]]\nuser = "ops@acme.example"\npasswort = "hunter2"\n',
        'tenant.acme.account."ops@acme.example".passwort: unknown key; did you mean password?',
    ),
    (
        TENANT + '[[tenant.account]]\nuser = "ops"\nx = 1\n',
        "tenant.acme.account.ops.x: unknown key; known here: access_token, password, "
        "refresh_token, user",
    ),
]
WITHOUT_TLS = "plain http would show tokens to the network; use https (http is for loopback only)"
NO_ADDRESS = "takes an address such as https://api.example.com"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "harvester.toml"


@pytest.mark.parametrize(("text", "sentence"), WRITTEN + UNKNOWN_KEYS)
def test_a_mistake_is_told_with_its_key(file: Path, text: str, sentence: str) -> None:
    assert complaints(file, text) == [sentence]


def test_a_file_that_is_none_is_told(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"harvester\.toml: there is no such file; begin with"):
        load(file)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(file.parent)
    file.write_bytes(b'deployment = "\xff"')
    with pytest.raises(ConfigError, match="is no text in UTF-8"):
        load(file)
    file.write_text(f"port = {'9' * 5000}")
    with pytest.raises(ConfigError, match="is no TOML: Exceeds the limit"):
        load(file)
    with pytest.raises(ConfigError, match="is too long for a configuration"):
        load(Path("/dev/zero"))


@pytest.mark.parametrize("text", ["a = " + "[" * 20_000, "a" + ".a" * 5_000 + " = 1"])
def test_what_is_nested_too_deeply_is_told(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError, match="is nested too deeply"):
        load(file)


def test_all_mistakes_are_told_at_once(file: Path) -> None:
    second = TENANT.replace('name = "acme"', "").replace('client_id = "app"', "")
    second = second.replace("https", "http").replace("24h", "day")
    told = complaints(file, "[web]\nprot = 1\n" + TENANT.replace("5m", "5") + second)
    assert [line.partition(": ")[0] for line in told] == [
        "tenant.#2.options.base_url",
        "web.prot",
        "tenant.acme.interval",
        "tenant.#2.name",
        "tenant.#2.history",
        "tenant.#2.options.client_id",
    ]


@pytest.mark.parametrize(
    "said", ['""', '"5"', '"5 m"', '"m"', '"-5m"', '"30m1h"', '"999999d"', "300", '"٣h"']
)
def test_a_duration_that_is_none(file: Path, said: str) -> None:
    assert complaints(file, TENANT.replace('"5m"', said)) == [
        'tenant.acme.interval: takes a duration such as "90s", "5m", "24h", "7d" or "1h30m"'
    ]


def test_a_mistake_in_the_environment_names_the_variable(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARVESTER_WEB__PORT", "http")
    monkeypatch.setenv("HARVESTER_WEBB__HOST", "::1")
    monkeypatch.setenv("HARVESTER_STATE_DIR", "s")
    variable = "environment variable HARVESTER_"
    unknown, nested, host, port = complaints(file, "[web]\nhost = 1\n" + TENANT)
    assert unknown == f"{variable}STATE_DIR: unknown key; did you mean state_directory?"
    assert nested == f"{variable}WEBB__HOST: unknown key; did you mean web?"
    assert host == "web.host: takes a text in quotes"
    assert port.startswith(f"{variable}WEB__PORT: web.port: input should be a valid integer")


def test_a_list_in_the_environment_is_json(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_TENANT", '["acme"]')
    assert complaints(file, TENANT) == [
        "environment variable HARVESTER_TENANT: tenant.#1: takes a table"
    ]
    monkeypatch.setenv("HARVESTER_TENANT", "[hunter2")
    assert complaints(file, TENANT) == [
        "HARVESTER_DATABASE, HARVESTER_WEB and HARVESTER_TENANT take JSON"
    ]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://api.example", WITHOUT_TLS),
        ("http://127.0.0.1.example", WITHOUT_TLS),
        ("https://me:hunter2@api.example", "must not hold a user or a password"),
        ("ftp://api.example", NO_ADDRESS),
        ("api.example", NO_ADDRESS),
        ("https://[::1", NO_ADDRESS),
        ("https://api.example:port", NO_ADDRESS),
        ("https://api..example", NO_ADDRESS),
        (f"https://{'a' * 64}.example", NO_ADDRESS),
        ("https://xn--/", NO_ADDRESS),
    ],
)
@pytest.mark.parametrize("key", ["base_url", "auth_url"])
def test_an_address_that_no_token_may_go_to(file: Path, key: str, url: str, sentence: str) -> None:
    tenant = TENANT.replace('base_url = "https://api.example"', "")
    assert complaints(file, tenant + f'{key} = "{url}"\n') == [
        f"tenant.acme.options.{key}: {sentence}"
    ]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ws://api.example/websocket", WITHOUT_TLS.replace("http", "ws")),
        ("https://api.example/websocket", NO_ADDRESS.replace("https", "wss")),
        ("wss://me:hunter2@api.example", "must not hold a user or a password"),
    ],
)
def test_an_address_of_a_websocket_is_one(file: Path, url: str, sentence: str) -> None:
    told = complaints(file, TENANT + f'websocket_url = "{url}"\n')
    assert f"tenant.acme.options.websocket_url: {sentence}" in told


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://h:hunter2@db/h",
        "postgresql://h:hunter2/x@db/h",
        "postgresql://h:hunter2#x@db/h",
        "postgresql://db/h?user=h&password=hunter2",
        "postgresql://db/h?sslpassword=hunter2",
    ],
)
def test_a_password_in_the_dsn_is_refused_and_not_shown(file: Path, dsn: str) -> None:
    [sentence] = complaints(file, f'[database]\ndsn = "{dsn}"\n' + TENANT)
    assert sentence.startswith("database.dsn: must not hold a password: give it as")


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql:///h?host=db.example",
        "postgresql://localhost/h?sslcert=x&h%6fst=db.example",
        "postgresql://localhost/h?service=other",
        "postgresql://localhost,db.example/h",
        "postgresql://h@[2001:db8::1]@localhost/h",
    ],
)
def test_a_dsn_leads_to_the_one_host_before_its_path(file: Path, dsn: str) -> None:
    [sentence] = complaints(file, f'[database]\ndsn = "{dsn}"\n' + TENANT)
    assert sentence.startswith("database.dsn: takes one host, before the path:")


def test_behind_a_dsn_stand_names_and_values(file: Path) -> None:
    dsn = "postgresql://localhost/h?sslmode"
    [sentence] = complaints(file, f'[database]\ndsn = "{dsn}"\n' + TENANT)
    assert sentence.startswith("database.dsn: takes name=value")
