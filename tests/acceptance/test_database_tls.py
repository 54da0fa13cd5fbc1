"""The connection to the database is encrypted unless the dsn names this machine."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

import pytest
from acceptance.commands import EX_UNAVAILABLE, configured, harvester
from fix_postgres import Database

SSL_REQUEST = struct.pack("!ii", 8, 80877103)


@pytest.mark.parametrize(
    ("dsn", "encrypted"),
    [("postgresql://h@/h", True), ("postgresql://h@127.0.0.1/h", False)],
)
async def test_a_dsn_without_a_host_is_not_taken_for_local(
    tmp_path: Path, dsn: str, encrypted: bool
) -> None:
    said: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append(await reader.readexactly(8))
        writer.write(b"N")
        writer.close()

    path = await asyncio.to_thread(configured, tmp_path, Database(dsn, None), "acme")
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = str(server.sockets[0].getsockname()[1])
        ended = await harvester("migrate", config=path, PGHOST="127.0.0.1", PGPORT=port)
    assert ended.code == EX_UNAVAILABLE, ended.err
    assert (said[0] == SSL_REQUEST) is encrypted
