"""A process of its own, in which many ask for one account's token at once.

    python asking.py < a line of JSON

It says "ready", begins at the next line, and prints how many were given which token, by digest.
"""

import asyncio
import hashlib
import json
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from fix_platforms import options_of, ring

from harvester import platforms
from harvester.auth import Account, Keeper, Shared, digest
from harvester.client import Client
from harvester.model import Credentials
from harvester.simulator.clock import HandClock
from harvester.simulator.fakes import Secret
from harvester.store.pool import open_pool
from harvester.vault import Keys


async def main(told: dict[str, Any]) -> None:
    clock = HandClock(datetime.fromisoformat(told["now"]))
    platform, owner = told["platform"], told["owner"]
    options = options_of(platform, told["options"] | {"client_secret": Secret(told["secret"])})
    credentials = Credentials(told["user"], told["password"])
    account = Account(
        told["account_id"],
        "acme",
        platform,
        credentials,
        "test",
        owner,
        digest(options, credentials),
    )
    client = Client(told["url"], clock, tenant="acme", platform=platform, concurrency=4)
    adapter = platforms.adapter(platform)(options)
    async with open_pool(told["dsn"], told["database_password"]) as pool, client:
        keeper = Keeper(
            account, adapter, client, pool, Keys(ring, clock), clock, Shared(), Path(told["folder"])
        )
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        tokens = await asyncio.gather(*(keeper.token() for _ in range(told["callers"])))
    given = Counter(digest_of(token.access_token) for token in tokens)
    sys.stdout.write(json.dumps(given))


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.stdin.readline())))
