"""What the daemon answers over HTTP."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession, ClientTimeout

from harvester import metrics, web
from harvester.errors import AddressError

serve = partial(web.serve, ill=list, wanting=list)
TENANTS = [f"tenant-{number}" for number in range(20)]


@pytest.fixture
def tenants() -> Iterator[list[str]]:
    """Enough of them for a long answer."""
    for tenant in TENANTS:
        metrics.expect(tenant, "mydevices")
    yield TENANTS
    for tenant in TENANTS:
        metrics.forget(tenant)


async def test_metrics_are_what_prometheus_reads(tenants: list[str]) -> None:
    async with (
        serve("127.0.0.1", 0) as address,
        ClientSession() as session,
        session.get(f"{address}/metrics") as answer,
    ):
        text = await answer.text()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    for tenant in tenants:
        assert f'harvester_readings_stored_total{{tenant="{tenant}"}} 0.0\n' in text


async def test_openmetrics_is_had_by_who_asks_for_it() -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with (
        serve("127.0.0.1", 0) as address,
        ClientSession(headers=accept) as session,
        session.get(f"{address}/metrics") as answer,
    ):
        assert answer.content_type == "application/openmetrics-text"
        assert (await answer.text()).endswith("# EOF\n")


async def test_what_is_well_is_told_in_a_word() -> None:
    async with serve("127.0.0.1", 0) as address, ClientSession() as session:
        for path in ("/healthz", "/readyz"):
            async with session.get(address + path) as answer:
                assert (answer.status, await answer.text()) == (200, "ok\n")
        async with session.get(f"{address}/other") as answer:
            assert answer.status == 404


async def test_what_is_wrong_is_told_a_line_each() -> None:
    ill, wanting = ["the loop is late"], ["no job is planned", "the database is away"]
    async with (
        web.serve("127.0.0.1", 0, ill=lambda: ill, wanting=lambda: wanting) as address,
        ClientSession() as session,
    ):
        for path, lines in (("/healthz", ill), ("/readyz", wanting)):
            async with session.get(address + path) as answer:
                assert answer.status == 503
                assert (await answer.text()).splitlines() == lines


async def test_a_port_in_use_is_told() -> None:
    async with serve("127.0.0.1", 0) as address:
        port = urlsplit(address).port or 0
        with pytest.raises(AddressError, match=rf"^web\.port: 127\.0\.0\.1:{port} is in use by"):
            async with serve("127.0.0.1", port):
                pass


@pytest.mark.parametrize(
    ("host", "written"), [("192.0.2.1", "192.0.2.1:0"), ("2001:db8::1", "[2001:db8::1]:0")]
)
async def test_an_address_that_is_not_here_is_told(host: str, written: str) -> None:
    with pytest.raises(AddressError) as told:
        async with serve(host, 0):
            pass
    assert str(told.value).startswith(f"web.host, web.port: {written} cannot be had: ")


@pytest.mark.usefixtures("tenants")
async def test_who_never_reads_the_answer_does_not_hold_the_stop_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harvester.web.LEAVE_AFTER", 0.1)
    async with serve("127.0.0.1", 0) as address:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.connect((urlsplit(address).hostname, urlsplit(address).port))
        slow.send(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n" * 200)
        await asyncio.sleep(0.5)
        leaving = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - leaving < 2
    slow.close()


async def test_metrics_are_had_while_all_the_threads_of_the_loop_are_busy() -> None:
    """As by names that nobody resolves: then it matters most what is counted."""
    let_go = threading.Event()
    busy = [asyncio.create_task(asyncio.to_thread(let_go.wait)) for _ in range(50)]
    try:
        async with (
            serve("127.0.0.1", 0) as address,
            ClientSession(timeout=ClientTimeout(3)) as session,
            session.get(f"{address}/metrics") as answer,
        ):
            assert answer.status == 200
    finally:
        let_go.set()
        await asyncio.gather(*busy)
