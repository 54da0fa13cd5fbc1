"""The installed command, with less time between two looks at what the daemon looks after, and less
patience.

Run as: hurry.py '{"SERVER_EVERY": 1}' PROGRAM WORDS…; the names are those of `PLACES`, and hold in
each that knows them.
"""

from __future__ import annotations

import json
import runpy
import sys
from datetime import timedelta

from harvester.auth import held
from harvester.harvest import beside
from harvester.service import daemon, tenants

PLACES = (daemon, held, beside, tenants)


def main(seconds: str, *words: str) -> None:
    for name, value in json.loads(seconds).items():
        for place in (each for each in PLACES if name in vars(each)):
            is_span = isinstance(getattr(place, name), timedelta)
            setattr(place, name, timedelta(seconds=value) if is_span else value)
    sys.argv = list(words)
    runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
