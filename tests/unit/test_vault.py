"""What is sealed opens for its owner with its key, and for nobody else."""

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from harvester.errors import ConfigError, SealBroken
from harvester.vault import Context, KeyRing, Sealed, create

OWNER = Context("harvester", "acme", "ops@acme.example", "refresh_token")
OLD, NEW = b"o" * 32, b"n" * 32
RING = KeyRing({"new": NEW, "old": OLD})
ANY_TEXT = st.text(st.characters(exclude_categories=()))
CONTEXTS = st.builds(Context, *[st.text(max_size=4)] * 4)


def line(key_id: str, key: bytes) -> str:
    return f"{key_id} {base64.b64encode(key).decode()}\n"


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "keys"
    path.write_text(text)
    path.chmod(mode)
    return path


@given(ANY_TEXT, CONTEXTS)
@example("\ud800", OWNER)
@settings(deadline=None)
def test_the_owner_gets_back_what_was_sealed(secret: str, owner: Context) -> None:
    assert RING.open(RING.seal(secret, owner), owner) == secret


@given(CONTEXTS, CONTEXTS)
@settings(deadline=None)
def test_nobody_else_gets_it(owner: Context, other: Context) -> None:
    assume(owner != other)
    with pytest.raises(SealBroken):
        RING.open(RING.seal("secret", owner), other)


def test_parts_of_an_owner_do_not_run_into_each_other() -> None:
    moved = replace(OWNER, tenant="acmeops", account="@acme.example")
    sealed = RING.seal("secret", replace(OWNER, tenant="acme", account="ops@acme.example"))
    with pytest.raises(SealBroken):
        RING.open(sealed, moved)


@given(st.data())
@settings(deadline=None)
def test_an_altered_or_cut_value_is_refused(data: st.DataObject) -> None:
    sealed = RING.seal("secret", OWNER)
    position = data.draw(st.integers(0, len(sealed.data) - 1))
    flipped = bytearray(sealed.data)
    flipped[position] ^= data.draw(st.integers(1, 255))
    for wrong in (bytes(flipped), sealed.data[:position], sealed.data + b"\0"):
        with pytest.raises(SealBroken):
            RING.open(Sealed(sealed.key_id, wrong), OWNER)


def test_another_key_opens_nothing() -> None:
    sealed = RING.seal("secret", OWNER)
    with pytest.raises(SealBroken, match="'new' is not in the key file"):
        KeyRing({"old": OLD}).open(sealed, OWNER)
    with pytest.raises(SealBroken, match="altered, or sealed for another owner or key"):
        KeyRing({"new": OLD}).open(sealed, OWNER)


def test_the_same_secret_is_never_sealed_alike() -> None:
    assert RING.seal("secret", OWNER).data != RING.seal("secret", OWNER).data


def test_neither_keys_nor_secrets_show() -> None:
    shown = repr(RING) + repr(RING.seal("hunter2", OWNER))
    assert repr(RING) == "KeyRing(new, old)"
    assert "hunter2" not in shown
    assert base64.b64encode(NEW).decode()[:8] not in shown


def test_the_first_key_of_the_file_seals_and_the_others_open(tmp_path: Path) -> None:
    path = key_file(tmp_path, "# keys\n\n" + line("new", NEW) + line("old", OLD))
    ring = KeyRing.load(path)
    assert ring.seal("secret", OWNER).key_id == "new"
    assert ring.open(KeyRing({"old": OLD}).seal("secret", OWNER), OWNER) == "secret"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no key"),
        ("# nothing\n", "holds no key"),
        (line("a", NEW)[2:], "line 1: a key is written as: key_id base64key"),
        (line("a", NEW) + "b\n", "line 2: a key is written as: key_id base64key"),
        (line("ä", NEW), "line 1: a key is written as"),
        (line("a", NEW[1:]), "line 1: the key is not 32 bytes in base64"),
        (line("a", NEW).replace("b", "b*"), "line 1: the key is not 32 bytes in base64"),
        ("a ====\n", "line 1: the key is not 32 bytes in base64"),
        (line("a", NEW) + line("a", OLD), "line 2: the key id a is there twice"),
        ("#" * 70_000, "too long for a key file"),
    ],
)
def test_a_wrong_key_file_is_told_without_showing_a_key(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = key_file(tmp_path, text)
    with pytest.raises(ConfigError, match=sentence) as caught:
        KeyRing.load(path)
    assert str(path) in str(caught.value)
    assert base64.b64encode(NEW).decode()[4:20] not in str(caught.value)


def test_a_key_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absent: this key file does not exist"):
        KeyRing.load(tmp_path / "absent")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        KeyRing.load(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be made: File exists"):
        KeyRing.load_or_create(tmp_path / "file" / "keys")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, line("a", NEW), mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}"):
        KeyRing.load(path)


def test_a_credential_of_systemd_may_have_any_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = key_file(tmp_path, line("a", NEW), 0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert repr(KeyRing.load(path)) == "KeyRing(a)"


def test_a_missing_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "keys"
    first, made = KeyRing.load_or_create(path)
    again, made_again = KeyRing.load_or_create(path)
    assert (made, made_again) == (True, False)
    assert again.open(first.seal("secret", OWNER), OWNER) == "secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_key_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    path = key_file(tmp_path, line("a", NEW))
    assert not create(path)
    assert path.read_text() == line("a", NEW)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_without_a_name_is_there_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not create(Path())
    assert not list(tmp_path.iterdir())


def test_two_that_start_at_once_end_up_with_one_key(tmp_path: Path) -> None:
    together = Barrier(8)

    def start(_: int) -> tuple[KeyRing, bool]:
        together.wait()
        return KeyRing.load_or_create(tmp_path / "keys")

    with ThreadPoolExecutor(8) as starters:
        rings = list(starters.map(start, range(8)))
    assert [made for _, made in rings].count(True) == 1
    sealed = rings[0][0].seal("secret", OWNER)
    assert {ring.open(sealed, OWNER) for ring, _ in rings} == {"secret"}


def test_a_pipe_is_no_key_file_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keys", 0o600)
    with pytest.raises(ConfigError, match="keys: this key file cannot be read: it is no regular"):
        KeyRing.load(tmp_path / "keys")
