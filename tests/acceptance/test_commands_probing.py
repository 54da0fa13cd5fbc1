"""Platforms as `harvester check` meets them: silent, refusing, of another protocol, untrusted."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from acceptance.commands import EX_UNAVAILABLE
from aiohttp import web
from befallen import says
from configured import TENANT
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fix_simulator import BEGIN, HISTORY, configured_for

from harvester import config, platforms
from harvester.cli.check import probing
from harvester.cli.check.keeping import Login, Who
from harvester.clock import Clock, SystemClock
from harvester.model import Credentials
from harvester.service.tenant import client_of
from harvester.simulator import usergrid
from harvester.simulator.clock import HandClock
from harvester.simulator.configured import Served, configure
from harvester.simulator.faults import Fault
from harvester.simulator.mydevices import FakeMydevices
from harvester.simulator.tenants import User
from harvester.simulator.usergrid_quirks import unauthorized
from harvester.simulator.world import World


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """A server that takes connections and never says anything; its address."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def tenants(folder: Path, url: str, *names: str) -> list[config.Tenant]:
    text = "".join(TENANT.replace('"acme"', f'"{name}"') for name in names)
    path = folder / "config.toml"
    path.write_text(text.replace("https://api.example", url), "utf-8")
    return list(config.load(path).tenants)


async def logged_in(tenant: config.Tenant, user: User, clock: Clock) -> dict[Who, Login]:
    """As the daemon keeps it."""
    adapter = platforms.adapter(tenant.platform)(tenant.options)
    async with client_of(tenant, clock, concurrency=1) as client:
        token = await adapter.login(client, Credentials(user.name, user.password), clock.now())
    return {(tenant.name, user.name): Login(token.access_token)}


async def test_platforms_that_do_not_answer_are_waited_for_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "PATIENCE", 0.3)
    async with silent() as url:
        names = [f"tenant-{n}" for n in range(20)]
        each = await asyncio.to_thread(tenants, tmp_path, url, *names)
        async with asyncio.timeout(3):
            found = await asyncio.gather(*(probing.probed(t, {}, SystemClock()) for t in each))
    assert {finding.state for findings in found for finding in findings} == {"wrong"}
    assert "gave no answer within" in found[0][0].told


async def test_a_refused_connection_and_another_protocol_are_told(
    tmp_path: Path, fake: FakeMydevices
) -> None:
    async with silent() as url:
        pass
    plain = fake.url.replace("http:", "https:")
    for address, told in ((url, "cannot be reached"), (plain, "does not speak TLS")):
        [tenant] = await asyncio.to_thread(tenants, tmp_path, address, "acme")
        [finding] = await probing.probed(tenant, {}, SystemClock())
        assert (finding.state, finding.exit_code) == ("wrong", EX_UNAVAILABLE)
        assert told in finding.told


async def test_a_user_who_sees_no_device_is_told_from_one_who_does(
    tmp_path: Path, fake: FakeMydevices
) -> None:
    settings = await asyncio.to_thread(config.load, await configured_for(fake, tmp_path))
    tenant, clock = settings.tenants[0], fake.world.clock
    logins = await logged_in(tenant, fake.world.users("acme")[0], clock)
    for told in ("its token reads", "its token reads; no device is to be seen"):
        findings = await probing.probed(tenant, logins, clock)
        assert told in [each.told for each in findings]
        fake.faults.add(Fault("GET /companies", says("[]"), times=None))


async def test_a_permission_that_is_missing_is_told_from_a_token_that_is_refused(
    tmp_path: Path,
) -> None:
    world = World("check", HandClock(BEGIN), BEGIN - HISTORY, tenants=("acme",), users=1)
    async with usergrid.serve(world) as fake:
        served = [Served("usergrid", world, fake.url)]
        settings = await asyncio.to_thread(
            lambda: config.load(configure(served, tmp_path, history="1h"))
        )
        [tenant], [ana] = settings.tenants, world.users("acme")
        logins = await logged_in(tenant, ana, world.clock)

        async def found() -> tuple[str, str]:
            findings = await probing.probed(tenant, logins, world.clock)
            [finding] = [each for each in findings if each.name == f"acme/{ana.name}"]
            return finding.state, finding.told.replace(fake.url.removeprefix("http://"), "HOST")

        assert await found() == ("ok", "its token reads")
        fake.faults.add(Fault("/meters?", unauthorized("unauthorized")))
        missing = "a permission is missing: GET HOST/acme/plant7"
        assert await found() == ("ok", f"its token reads, but {missing}/meters: 401")
        fake.switches = replace(fake.switches, guarded=True)
        state, told = await found()
        assert state == "wrong" and told.startswith(f"its token is good, but {missing}/")
        refused = ("unknown", "its token is refused; the daemon will renew it")
        unsure = fake.faults.add(Fault("/users/me", unauthorized("unauthorized")))
        assert await found() == refused and unsure.fired, "nobody can tell"
        assert (await found())[0] == "wrong"
        fake.revoke(ana.name)
        assert await found() == refused
        assert fake.token_calls == {"password": 1}


async def test_a_certificate_that_nobody_vouches_for_is_told(tmp_path: Path) -> None:
    context = await asyncio.to_thread(self_signed, tmp_path)
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    [tenant] = await asyncio.to_thread(tenants, tmp_path, url, "acme")
    [finding] = await probing.probed(tenant, {}, SystemClock())
    await runner.cleanup()
    assert finding.state == "wrong"
    assert "a certificate that is not to be trusted: self" in finding.told


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "platform.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    file = folder / "certificate"
    file.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, private, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
