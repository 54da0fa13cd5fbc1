"""A key ring is read from a file or from the environment, and what is wrong with it is told."""

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from keys import NEW, OLD, key_file, line

from harvester.errors import ConfigError
from harvester.vault import Context, KeyFile, KeyRing, KeyVariable, OwnKeyFile, create

OWNER = Context("harvester", "acme", "ops@acme.example", "refresh_token")
WRITTEN = "a key is written as: key_id base64key"


def load(path: Path) -> KeyRing:
    return KeyFile(path).load()


def test_the_first_key_of_the_file_seals_and_the_others_open(tmp_path: Path) -> None:
    ring = load(key_file(tmp_path, "# keys\n\n" + line("new", NEW) + line("old", OLD)))
    assert ring.seal("secret", OWNER).key_id == "new"
    assert ring.open(KeyRing({"old": OLD}).seal("secret", OWNER), OWNER) == "secret"


def test_two_active_keys_cannot_be_of_all_only_one_seals(tmp_path: Path) -> None:
    for text in (
        line("a", OLD) + line("b", NEW),
        line("b", NEW, " next") + line("a", OLD),
        line("a", OLD) + line("b", NEW, " next  # of March"),
    ):
        ring = load(key_file(tmp_path, text))
        assert (list(ring), ring.sealing) == (["a", "b"], "a")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no key"),
        ("\n", "holds no key"),
        ("# nothing\n", "holds no key"),
        (line("a", NEW, " next"), "holds no key that seals"),
        (line("a", NEW)[2:], f"line 1: {WRITTEN}"),
        (line("a", NEW) + "b\n", f"line 2: {WRITTEN}"),
        (line("ä", NEW), f"line 1: {WRITTEN}"),
        (line("a", NEW, " active"), f"line 1: {WRITTEN}"),
        (line("a", NEW, " next next"), f"line 1: {WRITTEN}"),
        (line("a", NEW[1:]), "line 1: the key is not 32 bytes in base64"),
        (line("a", NEW).replace("b", "b*"), "line 1: the key is not 32 bytes in base64"),
        ("a ====\n", "line 1: the key is not 32 bytes in base64"),
        (line("a", NEW) + line("a", OLD), "line 2: the key id a is there twice; take one"),
        (line("a", NEW) + line("b", NEW), "line 2: b is the same key as a"),
        (
            line("a", NEW) + line("b", OLD, " next") + line("c", b"c" * 32, " next"),
            "b, c are all marked `next`; one can be",
        ),
        ("#" * 70_000, "too long for a key file"),
    ],
)
def test_a_wrong_key_file_is_told_without_showing_a_key(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = key_file(tmp_path, text)
    with pytest.raises(ConfigError, match=sentence) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert base64.b64encode(NEW).decode()[4:20] not in str(caught.value)


def test_a_key_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absent: this key file does not exist"):
        load(tmp_path / "absent")
    with pytest.raises(ConfigError, match="is a directory; name the key file in it"):
        load(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be made: File exists"):
        OwnKeyFile(tmp_path / "file" / "keys").make()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, line("a", NEW), mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}"):
        load(path)


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_a_credential_of_systemd_may_have_any_mode_and_any_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    path = key_file(tmp_path, line("a", NEW).rstrip("\n") + end, 0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert repr(load(path)) == "KeyRing(a)"


def test_the_environment_holds_what_a_file_would(monkeypatch: pytest.MonkeyPatch) -> None:
    source = KeyVariable("SITE_KEYS")
    with pytest.raises(ConfigError, match="variable SITE_KEYS is not set; set it where harvester"):
        source.load()
    monkeypatch.setenv("SITE_KEYS", line("new", NEW) + line("old", OLD).rstrip())
    assert repr(source.load()) == "KeyRing(new, old)"
    monkeypatch.setenv("SITE_KEYS", base64.b64encode(NEW).decode())
    with pytest.raises(ConfigError, match=f"variable SITE_KEYS, line 1: {WRITTEN}") as caught:
        source.load()
    assert base64.b64encode(NEW).decode()[:8] not in f"{caught.value} {source!r}"


def test_a_missing_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    file = OwnKeyFile(tmp_path / "state" / "keys")
    assert [file.make(), file.make()] == [True, False]
    assert file.load().open(file.load().seal("secret", OWNER), OWNER) == "secret"
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert list(file.path.parent.iterdir()) == [file.path]


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
        file = OwnKeyFile(tmp_path / "keys")
        made = file.make()
        return file.load(), made

    with ThreadPoolExecutor(8) as starters:
        rings = list(starters.map(start, range(8)))
    assert [made for _, made in rings].count(True) == 1
    sealed = rings[0][0].seal("secret", OWNER)
    assert {ring.open(sealed, OWNER) for ring, _ in rings} == {"secret"}


def test_a_pipe_is_no_key_file_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keys", 0o600)
    with pytest.raises(ConfigError, match="keys: this key file cannot be read: it is no regular"):
        load(tmp_path / "keys")
