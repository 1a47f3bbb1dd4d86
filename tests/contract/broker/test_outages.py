"""What the broker stands on is taken away during load, and brought back: no 500, nobody let in
uncounted, and recovery without a restart."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from local.azure import managed_identity
from local.azure.key_vault import LocalKeyVault
from tests.support.app_settings import API_KEY
from tests.support.azurite import shared_azurite, start_azurite, stop
from tests.support.function_hosts import Hosts, hosts
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports
from tests.support.principals import signed_in
from tests.support.scripted_endpoint import Said, Upstream, key_reply

MINT = "/openai/v1/realtime/client_secrets"
CALLS = "/openai/v1/realtime/calls"


class Load:
    """Callers who come one after another, four at a time, and what they were answered."""

    def __init__(self, broker: Hosts) -> None:
        self.broker = broker
        self.seen: Counter[tuple[int, str]] = Counter()
        self.came = asyncio.Condition()
        self.number = 0

    async def caller(self) -> None:
        while True:
            self.number += 1
            response = await self.broker.connect(self.number, f"user-{self.number % 7}")
            code = "" if response.status == 201 else response.headers.get("Content-Type", "")
            async with self.came:
                self.seen[response.status, code] += 1
                self.came.notify_all()

    async def until(self, status: int, more: int = 3) -> None:
        """Waits until `more` callers have been answered with `status` from now on."""

        def count() -> int:
            return sum(n for (found, _), n in self.seen.items() if found == status)

        async with self.came:
            wanted = count() + more
            await asyncio.wait_for(self.came.wait_for(lambda: count() >= wanted), PATIENCE)

    @property
    def statuses(self) -> set[int]:
        return {status for status, _ in self.seen}


@asynccontextmanager
async def load(broker: Hosts) -> AsyncIterator[Load]:
    coming = Load(broker)
    tasks = [asyncio.create_task(coming.caller()) for _ in range(4)]
    try:
        yield coming
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def take_away_and_bring_back(
    broker: Hosts,
    away: Callable[[], Awaitable[None]],
    back: Callable[[], Awaitable[None]],
    while_away: int,
) -> Load:
    async with load(broker) as coming:
        await coming.until(201)
        await away()
        await coming.until(while_away)
        await back()
        await coming.until(201)
    assert 500 not in coming.statuses
    for (status, kind), _ in coming.seen.items():
        assert status == 201 or kind.startswith("application/problem+json")
    return coming


async def test_storage_goes_and_comes_back(endpoint: Upstream) -> None:
    blob, queue, table = free_ports(3)
    ports = (blob, queue, table)
    azurite, child = start_azurite(ports)
    running = [child]

    async def away() -> None:
        await asyncio.to_thread(stop, running.pop())

    async def back() -> None:
        _, again = await asyncio.to_thread(start_azurite, ports)
        running.append(again)

    try:
        settings = {"LIMIT_LIVE_CALLS": "5000", "AzureWebJobsStorage": azurite.connection}
        async with hosts(1, endpoint.url, settings) as broker:
            coming = await take_away_and_bring_back(broker, away, back, 503)
            let_in = sum(n for (status, _), n in coming.seen.items() if status == 201)
            # Those still under way when the load ended may have been started and not answered.
            assert endpoint.count(CALLS) - let_in <= 4
    finally:
        for each in running:
            stop(each)


async def test_the_vault_and_the_identity_go_and_come_back(
    endpoint: Upstream, tmp_path: Path
) -> None:
    header = "a-header-of-the-platform"
    [port] = free_ports(1)
    runners: list[web.AppRunner] = []

    async def identity_back() -> None:
        runner = web.AppRunner(
            managed_identity.make_app(header), access_log=None, shutdown_timeout=0.1
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        runners.append(runner)

    async def identity_away() -> None:
        await runners.pop().cleanup()

    # Keys that end at once, so that every start needs the credential again.
    endpoint.on(MINT, key_reply("ek_test_short", 1))
    async with LocalKeyVault(tmp_path / "ca.pem") as vault:
        vault.secrets.set("model-key", API_KEY)
        await identity_back()
        settings = {
            "REALTIME_API_KEY": "",
            "REALTIME_API_KEY_SECRET": "model-key",
            "KEY_VAULT_URI": vault.url,
            "KEY_VAULT_TTL_SECONDS": "1",
            "REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem"),
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{port}{managed_identity.IDENTITY_PATH}",
            "IDENTITY_HEADER": header,
        }
        async with hosts(1, endpoint.url, settings) as broker:
            # With a last good value at hand, nobody notices.
            async with load(broker) as coming:
                await coming.until(201)
                await vault.go_offline()
                await identity_away()
                await coming.until(201, more=20)
                await identity_back()
                await vault.go_online()
                await coming.until(201)
            assert coming.statuses == {201}
        # Without one, everybody is refused until it is back.
        await vault.go_offline()
        async with hosts(1, endpoint.url, settings) as broker, load(broker) as coming:
            await coming.until(503)
            await vault.go_online()
            await coming.until(201)
        assert coming.statuses == {201, 503}
    await identity_away()


async def test_a_managed_identity_that_is_away_at_the_start(endpoint: Upstream) -> None:
    header = "a-header-of-the-platform"
    [port] = free_ports(1)
    settings = {
        "REALTIME_API_KEY": "",
        "IDENTITY_ENDPOINT": f"http://127.0.0.1:{port}{managed_identity.IDENTITY_PATH}",
        "IDENTITY_HEADER": header,
    }
    async with hosts(1, endpoint.url, settings) as broker, load(broker) as coming:
        await coming.until(503)
        runner = web.AppRunner(
            managed_identity.make_app(header), access_log=None, shutdown_timeout=0.1
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await coming.until(201)
        await runner.cleanup()
    assert coming.statuses == {201, 503}


async def test_a_rotation_of_the_brokers_secret_refuses_no_handle(
    endpoint: Upstream, tmp_path: Path
) -> None:
    """Three steps, as docs/security.md says: accept the new one, use it, forget the old one."""
    old, new = "the old secret of the broker: 32 bytes", "the new secret of the broker: 32 bytes"
    header = "a-header-of-the-platform"
    place = "/openai/v1/realtime/calls/rtc_0123456789abcdef0123456789abcdef/hangup"
    endpoint.on(place, Said(200))
    identity_runner = web.AppRunner(managed_identity.make_app(header), shutdown_timeout=0.1)
    await identity_runner.setup()
    await web.TCPSite(identity_runner, "127.0.0.1", 0).start()
    port = identity_runner.addresses[0][1]
    async with LocalKeyVault(tmp_path / "ca.pem") as vault:
        vault.secrets.set("broker", old)
        settings = {
            "AzureWebJobsStorage": shared_azurite().connection,
            "BROKER_SECRET": "",
            "BROKER_SECRET_NAME": "broker",
            "KEY_VAULT_URI": vault.url,
            "KEY_VAULT_TTL_SECONDS": "1",
            "REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem"),
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{port}{managed_identity.IDENTITY_PATH}",
            "IDENTITY_HEADER": header,
        }
        async with hosts(2, endpoint.url, settings) as two:
            held: list[tuple[aiohttp.ClientResponse, str]] = []

            async def callers_come() -> None:
                """New calls on both hosts, and every handle of before is still good on both."""
                for number in range(4):
                    user = f"user-{number}"
                    started = await two.connect(number, user)
                    assert started.status == 201, await started.text()
                    held.append((started, user))
                for response, user in held:
                    for host in two.programs:
                        url = host.url + response.headers["Location"]
                        async with two.session.get(url, headers=signed_in(user)) as answer:
                            assert answer.status == 200, await answer.text()

            async def until_both_have_read_it() -> None:
                before = vault.secrets.reads
                while vault.secrets.reads < before + 4:
                    await callers_come()

            await callers_come()
            for step in (f"{old},{new}", f"{new},{old}"):
                vault.secrets.set("broker", step)
                await until_both_have_read_it()
    await identity_runner.cleanup()
