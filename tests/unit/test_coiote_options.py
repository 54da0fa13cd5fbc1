"""Coiote's settings: one way to a token of the tenant's own, and no secret in the file."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from configured import complaints, settings
from pydantic import SecretStr

from harvester.model import Credentials
from harvester.platforms.coiote import Adapter
from harvester.platforms.coiote.options import SECRET_FIELDS, CoioteOptions

BEGIN = """
[[tenant]]
name = "acme"
platform = "coiote"
interval = "5m"
history = "24h"
"""
SERVICE = [
    'realm = "coiote-cloud"',
    'client_id = "robot"',
    'client_secret = { file = "secret" }',
]
EXCHANGE = [
    'token_exchange_url = "https://iam.example/token"',
    'token_exchange_form = { grant_type = "urn:x", subject_token = { file = "secret" } }',
]
AT = "tenant.acme.options"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("hunter2\n")
    return tmp_path / "harvester.toml"


def toml(lines: Sequence[str], account: str = "") -> str:
    options = ["[tenant.options]", 'base_url = "https://eu.iot.example/api"', *lines]
    return "\n".join([BEGIN, *options, account])


def adapter(file: Path, lines: Sequence[str]) -> Adapter:
    (tenant,) = settings(file, toml(lines)).tenants
    assert isinstance(tenant.options, CoioteOptions)
    return Adapter(tenant.options)


def test_users_alone_need_nothing_but_the_address(file: Path) -> None:
    alone = adapter(file, [])
    ana = Credentials("ana", "p")
    assert not alone.own_client
    assert (alone.grant(ana), alone.token_url(ana)) == (
        "password",
        "https://eu.iot.example/api/auth/oauth_password",
    )
    assert alone.grant(Credentials("ana", access_token="a")) == "configured"


def test_a_service_account_is_the_tenants_own(file: Path) -> None:
    own = Credentials(None)
    found = adapter(file, SERVICE)
    assert (found.own_client, found.grant(own)) == (True, "client_credentials")
    realm = "https://eu.iot.example/iam/realms/coiote-cloud/protocol/openid-connect/token"
    assert found.token_url(own) == realm


def test_an_exchange_is_the_tenants_own_and_its_secrets_do_not_show(file: Path) -> None:
    own = Credentials(None)
    found = adapter(file, EXCHANGE)
    assert (found.own_client, found.grant(own)) == (True, "token_exchange")
    assert found.token_url(own) == "https://iam.example/token"
    (tenant,) = settings(file, toml(EXCHANGE)).tenants
    assert "hunter2" not in repr(tenant)
    assert isinstance(tenant.options, CoioteOptions)
    assert tenant.options.token_exchange_form == {
        "grant_type": "urn:x",
        "subject_token": SecretStr("hunter2"),
    }


@pytest.mark.parametrize("key", ["password", "access_token"])
def test_an_account_has_a_password_or_a_token_by_reference(file: Path, key: str) -> None:
    account = f'[[tenant.account]]\nuser = "ana"\n{key} = {{ file = "secret" }}'
    (tenant,) = settings(file, toml([], account)).tenants
    assert getattr(tenant.accounts[0], key) == SecretStr("hunter2")


def test_a_refresh_token_is_of_no_use(file: Path) -> None:
    account = '[[tenant.account]]\nuser = "ana"\nrefresh_token = { file = "secret" }'
    (told,) = complaints(file, toml([], account))
    assert "coiote takes no refresh_token of an account" in told


@pytest.mark.parametrize("left_out", range(3))
def test_half_a_service_account_is_refused_in_a_sentence(file: Path, left_out: int) -> None:
    lines = [line for n, line in enumerate(SERVICE) if n != left_out]
    assert complaints(file, toml(lines)) == [
        f"{AT}: a service account takes realm, client_id and client_secret: give all three or none"
    ]


@pytest.mark.parametrize("left_out", range(2))
def test_half_an_exchange_is_refused_in_a_sentence(file: Path, left_out: int) -> None:
    lines = [line for n, line in enumerate(EXCHANGE) if n != left_out]
    assert complaints(file, toml(lines)) == [
        f"{AT}: a token exchange takes token_exchange_url and token_exchange_form: "
        "give both or none"
    ]


def test_a_tenant_has_one_token_of_its_own(file: Path) -> None:
    assert complaints(file, toml([*SERVICE, *EXCHANGE])) == [
        f"{AT}: takes a service account (realm, client_id, client_secret) or a token exchange, "
        "not both"
    ]


@pytest.mark.parametrize("key", sorted(SECRET_FIELDS))
def test_a_secret_of_an_exchange_is_never_written_in_the_file(file: Path, key: str) -> None:
    form = f'[tenant.options.token_exchange_form]\n{key} = "hunter2"'
    assert complaints(file, toml([EXCHANGE[0], form])) == [
        f"{AT}.token_exchange_form: {key} is a secret: give it by reference, "
        'such as { file = "…" }'
    ]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            [EXCHANGE[0], "token_exchange_form = { scope = 1 }"],
            "token_exchange_form.scope: takes a text in quotes, or a secret by reference",
        ),
        (
            [EXCHANGE[0], 'token_exchange_form = { subject_token = { file = "gone" } }'],
            "token_exchange_form.subject_token: the secret file",
        ),
        (
            ['token_exchange_url = "http://iam.example"', EXCHANGE[1]],
            "token_exchange_url: plain http would show tokens to the network",
        ),
        ([EXCHANGE[0], "token_exchange_form = {}"], "token_exchange_form: "),
        (['realm = ""', *SERVICE[1:]], "realm: "),
        (['client_id = ""', SERVICE[0], SERVICE[2]], "client_id: "),
        (['realms = "x"'], "realms: unknown key; did you mean realm?"),
        (['latest = ["3/0/9", "3/9"]'], "latest.#2: takes the path of a resource"),
        (['latest = ["00/0/5"]'], "latest.#1: takes the path of a resource"),
        (["objects = [0]"], "objects.#1: input"),
        (["settling = 30"], "settling: takes a duration"),
    ],
)
def test_each_mistake_is_told_once_and_where_it_is(file: Path, lines: list[str], told: str) -> None:
    (sentence,) = complaints(file, toml(lines))
    assert sentence.startswith(f"{AT}.{told}")
