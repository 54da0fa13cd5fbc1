"""The Postgres that harvester runs for itself, in its state directory, when no dsn is given.

    <state directory>/postgres.gate     held while one process starts or stops the server
    <state directory>/postgres/         all else (0700); see `place` for when this is a symlink
        data/                           the cluster; `data.new` while it is being made
        superuser.password  harvester.password      0600
        use.lock                        shared by every process that uses the server
        server.lock                     held by the server's own processes, while one of them lives
        port  server.log  server.log.1

Everything here blocks: call it from a thread.
"""

from harvester.embedded.binaries import system_binaries
from harvester.embedded.cluster import free_port
from harvester.embedded.logins import Server, verifier
from harvester.embedded.running import Running, is_made, start

__all__ = [
    "Running",
    "Server",
    "free_port",
    "is_made",
    "start",
    "system_binaries",
    "verifier",
]
