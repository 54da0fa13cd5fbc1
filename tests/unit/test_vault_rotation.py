"""A key file gets another first key, and loses nothing of what it held."""

import os
import re
import stat
from pathlib import Path

import pytest
from keys import NEW, OLD, key_file, line

from harvester.errors import ConfigError, UserError
from harvester.vault import KeyFile

TEXT = "# ours\n\n" + line("a", OLD, "  # of March") + "# kept\n" + line("b", NEW).rstrip("\n")


def test_a_new_key_stands_before_the_others_and_the_rest_stays(tmp_path: Path) -> None:
    file = KeyFile(key_file(tmp_path, TEXT))
    first = file.rotate()
    assert list(file.load()) == [first, "a", "b"]
    told = file.path.read_text()
    assert re.sub(rf"^{first} .{{44}}\n", "", told, flags=re.MULTILINE) == TEXT
    assert told.startswith("# ours\n\n" + first)
    assert list(tmp_path.iterdir()) == [file.path]


def test_a_prepared_key_opens_and_seals_only_when_it_was_rotated(tmp_path: Path) -> None:
    file = KeyFile(key_file(tmp_path, TEXT))
    assert file.waiting() is None
    prepared = file.prepare()
    assert (file.waiting(), file.load().sealing) == (prepared, "a")
    assert list(file.load()) == ["a", "b", prepared]
    assert file.path.read_text().startswith(TEXT)
    assert file.rotate() == prepared
    assert (file.waiting(), list(file.load())) == (None, [prepared, "a", "b"])
    assert file.rotate() != prepared, "the next one is a new one, not one of the old"


def test_the_comment_of_a_prepared_key_goes_with_it(tmp_path: Path) -> None:
    text = "# ours\n" + line("a", OLD) + line("b", NEW, " next  # of April")
    file = KeyFile(key_file(tmp_path, text))
    assert file.rotate() == "b"
    assert file.path.read_text() == "# ours\n" + line("b", NEW, "  # of April") + line("a", OLD)


def test_owner_and_mode_stay_and_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = key_file(tmp_path / "real", TEXT, 0o400)
    if os.geteuid() == 0:
        os.chown(real, 1234, 2345)
    before = real.stat()
    link = tmp_path / "keys"
    link.symlink_to(real)
    KeyFile(link).rotate()
    after = real.stat()
    assert stat.S_IMODE(after.st_mode) == 0o400
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert link.is_symlink()
    assert list(real.parent.iterdir()) == [real]


@pytest.mark.parametrize("step", ["fsync", "fchown", "fchmod"])
def test_what_is_broken_off_leaves_the_old_file_and_the_next_one_goes_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    file = KeyFile(key_file(tmp_path, TEXT))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, step, full)
        with pytest.raises(UserError, match="cannot be written anew: No space left on device"):
            file.rotate()
    assert file.path.read_text() == TEXT
    assert [path for path in tmp_path.glob("*") if not path.name.startswith(".")] == [file.path]
    assert list(file.load()) == ["a", "b"]
    file.rotate()
    assert list(tmp_path.iterdir()) == [file.path]


def test_only_one_at_a_time_changes_a_key_file(tmp_path: Path) -> None:
    file = KeyFile(key_file(tmp_path, TEXT))
    with file.locked():
        file.rotate()
        with pytest.raises(UserError, match="another harvester keys rotate is at work"):
            file.locked().__enter__()
    with file.locked():
        file.rotate()


def test_a_file_is_not_written_as_no_daemon_could_read_it(tmp_path: Path) -> None:
    file = KeyFile(key_file(tmp_path, line("a", OLD) + line("b", NEW, " next")))
    with pytest.raises(ConfigError, match="are all marked `next`"):
        file.prepare()
    assert list(file.load()) == ["a", "b"]
