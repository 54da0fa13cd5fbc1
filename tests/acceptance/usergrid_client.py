"""The vendor's own client, which does at a Usergrid what its users do, and tells what it saw.

Reads what to do as JSON: base_url, org_id, app_id, a client, a user, and how many entities to
write. It sleeps ten seconds and tries again, ten times, where an answer to a page is not 200.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from usergrid import Usergrid, UsergridEntity, UsergridQueryIterator
from usergrid.UsergridAuth import UsergridUserAuth

# Python 2 asked an iterator for its next by another name.
UsergridQueryIterator.__next__ = UsergridQueryIterator.next

PAGE = 10
QL = "select * where n >= 3 order by n asc"


def pages(url: str, token: str) -> list[int]:
    """The numbers of the entities, as they come."""
    found = UsergridQueryIterator(url, headers={"Authorization": f"Bearer {token}"})
    return [each["n"] for each in found]


def write(count: int) -> dict[str, Any]:
    """One of them by itself, all others in one go, one changed and one taken back."""
    first = Usergrid.POST("probes", {"name": "first", "n": 0}).entity()
    again = Usergrid.POST("probes", {"name": "First", "n": 0})
    batch = Usergrid.POST("probes", [{"n": n} for n in range(1, count + 1)])
    changed, dropped = UsergridEntity(batch.entities[0]), batch.last()
    changed.put_property("n", -1)
    changed.save()
    dropped.remove()
    return {
        "first": first.entity_data,
        "again": again.error,
        "changed": Usergrid.GET("probe", changed.entity_id()).entity().get("n"),
        "dropped": Usergrid.GET("probes", dropped.entity_id()).status_code,
        "connected": first.connect("sees", changed).first().entity_id() == changed.entity_id(),
    }


def main(site: dict[str, str], client: dict[str, str], user: dict[str, str], count: int) -> None:
    Usergrid.init(**site, **client)
    saw = write(count)
    login = UsergridUserAuth(**user)
    login.authenticate(Usergrid.client)
    root = "{base_url}/{org_id}/{app_id}".format(**site)
    paths = {
        "graph": f"probes?limit={PAGE}",
        "index": f"probes?ql={QL}&limit={PAGE}",
        "connection": "probes/first/sees",
    }
    saw |= {name: pages(f"{root}/{path}", login.access_token) for name, path in paths.items()}
    print(json.dumps(saw))  # noqa: T201  what the test reads


if __name__ == "__main__":
    main(**json.load(sys.stdin))
