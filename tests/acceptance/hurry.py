"""The installed command, with less time between two looks at what the daemon looks after.

Run as: hurry.py '{"SERVER_EVERY": 1}' PROGRAM WORDS…; the names are those of `harvester.service`.
"""

from __future__ import annotations

import json
import runpy
import sys

from harvester import service


def main(seconds: str, *words: str) -> None:
    for name, value in json.loads(seconds).items():
        assert name in vars(service), name
        setattr(service, name, value)
    sys.argv = list(words)
    runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
