"""Devices that were seen in another domain than the one in which their history was found."""

from harvester.errors import Forbidden
from harvester.platforms.coiote.devices import Seen


class Moves:
    """What was seen of moves since devices were listed: one that came back has lost its history,
    too, and nothing in the next list would tell."""

    def __init__(self) -> None:
        self._moved: dict[str, tuple[str, str]] = {}
        """By device: the domain that it left, and one in which it was seen."""

    def check(self, seen: Seen, place: str | None) -> None:
        """Raises Forbidden where its history is not at the place, or not that of before."""
        left, _ = self._moved.get(seen.identifier, (place, ""))
        if left != place:  # that it was moved is known by now
            del self._moved[seen.identifier]
        if place and seen.domain and place != seen.domain:
            self._moved[seen.identifier] = place, seen.domain
        if seen.identifier in self._moved:
            raise Forbidden(
                f"device {seen.identifier} is in another domain since it was last discovered, "
                "or was for a while"
            )

    def place_of(self, seen: Seen) -> str | None:
        """Where its history is; where it has been, if it came back and nobody knows yet."""
        left, found = self._moved.get(seen.identifier, ("", ""))
        return found if seen.domain == left and found else seen.domain
