"""Whether the index answers. One that is away is asked once in a tick, and not for every path."""

from datetime import datetime, timedelta

from harvester.errors import ServerFailed


class Index:
    """That of one tenant. Instants are the server's."""

    def __init__(self) -> None:
        self._now: datetime | None = None
        self._answered_at: datetime | None = None
        """Never yet: when it could first be asked."""
        self._failure: ServerFailed | None = None
        self._has_answered = False
        """Since the tick began. Then what fails is one path's own."""
        self._is_silent = False

    def ask_again(self) -> None:
        """A tick begins."""
        self._failure, self._has_answered = None, False

    def began_at(self, now: datetime | None) -> None:
        """When the tick did."""
        self._now = now
        self._answered_at = self._answered_at or now

    def answered(self) -> None:
        self._answered_at = self._now
        self._has_answered, self._is_silent = True, False

    def failed(self, failure: ServerFailed) -> None:
        self._failure = failure
        self._is_silent = not self._has_answered

    @property
    def is_away(self) -> bool:
        """Whether it answered nothing that it was asked since the tick began."""
        return self._failure is not None and not self._has_answered

    def check(self) -> None:
        """Raises ServerFailed, as it did when it was asked, while it is away."""
        if self._failure is not None and self.is_away:
            raise ServerFailed(str(self._failure))

    @property
    def silent(self) -> timedelta | None:
        """How long ago it last answered; None where it answers."""
        if not self._is_silent or self._now is None or self._answered_at is None:
            return None
        return self._now - self._answered_at
