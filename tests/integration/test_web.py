"""What the daemon answers over HTTP."""

import asyncio
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession

from harvester import metrics
from harvester.errors import UserError
from harvester.web import serve


async def test_metrics_are_what_prometheus_reads() -> None:
    metrics.expect("acme-web", "mydevices")
    async with (
        serve("127.0.0.1", 0) as address,
        ClientSession() as session,
        session.get(f"{address}/metrics") as answer,
    ):
        text = await answer.text()
    metrics.forget("acme-web")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert (
        'harvester_windows_total{outcome="failed",stream="readings",tenant="acme-web"} 0.0' in text
    )


async def test_openmetrics_is_had_by_who_asks_for_it() -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with (
        serve("127.0.0.1", 0) as address,
        ClientSession(headers=accept) as session,
        session.get(f"{address}/metrics") as answer,
    ):
        assert answer.content_type == "application/openmetrics-text"
        assert (await answer.text()).endswith("# EOF\n")


async def test_the_loop_says_that_it_is_alive() -> None:
    async with serve("127.0.0.1", 0) as address, ClientSession() as session:
        async with session.get(f"{address}/healthz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok")
        async with session.get(f"{address}/other") as answer:
            assert answer.status == 404


async def test_a_port_in_use_is_told() -> None:
    async with serve("127.0.0.1", 0) as address:
        port = urlsplit(address).port or 0
        with pytest.raises(UserError, match=rf"^web\.port: 127\.0\.0\.1:{port} is in use by"):
            async with serve("127.0.0.1", port):
                pass


@pytest.mark.parametrize(
    ("host", "written"), [("192.0.2.1", "192.0.2.1:0"), ("2001:db8::1", "[2001:db8::1]:0")]
)
async def test_an_address_that_is_not_here_is_told(host: str, written: str) -> None:
    with pytest.raises(UserError) as told:
        async with serve(host, 0):
            pass
    assert str(told.value).startswith(f"web.host, web.port: {written} cannot be had: ")


async def test_who_never_reads_the_answer_does_not_hold_the_stop_up() -> None:
    async with serve("127.0.0.1", 0) as address:
        parts = urlsplit(address)
        # So small a buffer, and so many answers, that the server is stuck in the middle of one.
        _, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n" * 1000)
        await asyncio.sleep(1)
        leaving = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - leaving < 5
    writer.close()
