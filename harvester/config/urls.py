"""What every address in a configuration must be, whatever the platform: TLS, save on loopback."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from harvester.config.tree import Location, Problem, Tree
from harvester.loopback import is_loopback


def misplaced(tree: Tree) -> Iterator[Problem]:
    """What is wrong with the values whose keys end in `_url`, wherever they are."""
    return _misplaced(tree, ())


def _misplaced(node: object, at: Location) -> Iterator[Problem]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key.endswith("_url") and isinstance(value, str) and (wrong := _wrong(key, value)):
                yield (*at, key), wrong
            yield from _misplaced(value, (*at, key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from _misplaced(value, (*at, i))


def _wrong(key: str, url: str) -> str | None:
    plain, secure = ("ws", "wss") if key == "websocket_url" else ("http", "https")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port  # either raises ValueError when it is wrong
    except ValueError:
        host = None
    if not host or not is_host(host) or parts.scheme not in (plain, secure):
        return f"takes an address such as {secure}://api.example.com"
    if "@" in parts.netloc:
        return "must not hold a user or a password"
    if parts.scheme == plain and not is_loopback(host):
        return (
            f"plain {plain} would show tokens to the network; use {secure} "
            f"({plain} is for loopback only)"
        )
    return None


def is_host(name: str) -> bool:
    """Whether the name can be looked up at all; asking for another ends in a UnicodeError."""
    try:
        name.encode("idna").decode("idna")
    except UnicodeError:
        return False
    return "\0" not in name
