"""Where a key ring comes from: a file, or a variable of the environment that holds the same."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harvester.errors import ConfigError, UserError
from harvester.vault import files, lines
from harvester.vault.ring import KeyRing


@dataclass(frozen=True, slots=True)
class KeyVariable:
    """Keys in a variable of the environment, in lines as in a key file."""

    name: str

    def __str__(self) -> str:
        return f"the environment variable {self.name}"

    def load(self) -> KeyRing:
        """Raises ConfigError with what to mend."""
        content = os.environb.get(os.fsencode(self.name))
        if content is None:
            raise ConfigError(f"{self} is not set; set it where harvester is started")
        return KeyRing(lines.keys_in(content, str(self)))


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A key file that must be there."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def load(self) -> KeyRing:
        """Blocks on a file. Raises ConfigError with what to mend."""
        return KeyRing(lines.keys_in(self._content(), str(self)))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let nobody else change the file. Raises UserError where another does just now."""
        with ExitStack() as stack:
            try:
                stack.enter_context(files.lock(self.path))
            except BlockingIOError:
                raise UserError(
                    f"{self}: another harvester keys rotate is at work on it; try again once it "
                    "has ended.",
                    os.EX_TEMPFAIL,
                ) from None
            yield

    def is_credential(self) -> bool:
        """Whether it is one of systemd's: a daemon then has a copy, made when it started."""
        return files.is_credential(self.path)

    def waiting(self) -> str | None:
        """The id of the key that is to be the next. Raises ConfigError."""
        return next(iter(lines.waiting_keys(self._content())), None)

    def prepare(self) -> str:
        """Add a key that opens, and seals nothing until it is made the first; its id.

        The lock must be held. Raises ConfigError, and UserError where the file cannot be written.
        """
        key_id, line = lines.new_line(waiting=True)
        self._replace(lines.with_last(self._content(), line))
        return key_id

    def rotate(self) -> str:
        """Make the key that waits the first, else a new one; its id. As `prepare` otherwise."""
        content = self._content()
        if lines.waiting_keys(content):
            self._replace(lines.with_next_first(content))
        else:
            self._replace(lines.with_first(content, lines.new_line()[1]))
        return self.load().sealing

    def _replace(self, content: bytes) -> None:
        lines.keys_in(content, str(self))  # no start may find it wrong
        try:
            files.replace(self.path, content)
        except OSError as error:
            raise UserError(
                f"{self}: the key file cannot be written anew: {error.strerror}. Do it where the "
                "file itself is, as its owner or root.",
                os.EX_CANTCREAT,
            ) from None

    def _content(self) -> bytes:
        try:
            return files.private_content(self.path)
        except FileNotFoundError:
            raise ConfigError(f"{self}: this key file does not exist") from None
        except IsADirectoryError:
            raise ConfigError(f"{self}: is a directory; name the key file in it") from None
        except OSError as error:
            raise ConfigError(f"{self}: this key file cannot be read: {error.strerror}") from None


class OwnKeyFile(KeyFile):
    """The key file of the state directory, made where there is none."""

    def make(self) -> bool:
        """Make it with one new key; False where it is there. Raises ConfigError."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return not self.path.exists() and create(self.path)
        except OSError as error:
            raise ConfigError(f"{self}: this key file cannot be made: {error.strerror}") from None


KeySource = KeyFile | KeyVariable


def create(path: Path) -> bool:
    """Make a key file with one new key, whole or not at all; False where something is there.

    Raises OSError.
    """
    return files.make(path, lines.HEADER + lines.new_line()[1])
