"""Key files as tests write them."""

import base64
from pathlib import Path

OLD, NEW = b"o" * 32, b"n" * 32


def line(key_id: str, key: bytes, more: str = "") -> str:
    return f"{key_id} {base64.b64encode(key).decode()}{more}\n"


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "keys"
    path.write_text(text)
    path.chmod(mode)
    return path
