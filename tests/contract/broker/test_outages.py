"""What the broker depends on goes away under load and comes back: no 500, no uncounted call, and
recovery without a restart."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from local.azure import managed_identity
from local.azure.key_vault import LocalKeyVault
from tests.support.app_settings import API_KEY
from tests.support.azurite import shared_azurite, start_azurite, stop
from tests.support.call_location import call_path
from tests.support.function_hosts import Hosts, hosts
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports
from tests.support.principals import signed_in
from tests.support.programs import running
from tests.support.scripted_endpoint import Said, Upstream, key_reply

MINT = "/openai/v1/realtime/client_secrets"
CALLS = "/openai/v1/realtime/calls"
HANG_UP = f"{CALLS}/rtc_0123456789abcdef0123456789abcdef/hangup"
IDENTITY_HEADER = "a-header-of-the-platform"


class Load:
    """Callers that start calls one after another, and how they were answered."""

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


async def test_storage_goes_offline_and_comes_back(endpoint: Upstream) -> None:
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
            # A call that could not be recorded is hung up. Those still in progress when the load
            # ended may have been started and not answered.
            assert endpoint.count(CALLS) - let_in - endpoint.count(HANG_UP) <= 4
    finally:
        for each in running:
            stop(each)


class ManagedIdentity:
    """The endpoint of the platform's managed identity, on one port."""

    def __init__(self) -> None:
        [self.port] = free_ports(1)
        self.stack = AsyncExitStack()

    @property
    def settings(self) -> dict[str, str]:
        return {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{self.port}{managed_identity.IDENTITY_PATH}",
            "IDENTITY_HEADER": IDENTITY_HEADER,
        }

    async def go_online(self) -> None:
        app = managed_identity.make_app(IDENTITY_HEADER)
        await self.stack.enter_async_context(running(app, self.port))

    async def go_offline(self) -> None:
        await self.stack.aclose()


@asynccontextmanager
async def managed_identity_online() -> AsyncIterator[ManagedIdentity]:
    identity = ManagedIdentity()
    await identity.go_online()
    try:
        yield identity
    finally:
        await identity.go_offline()


def vault_settings(vault: LocalKeyVault, certificate: Path) -> dict[str, str]:
    return {
        "KEY_VAULT_URI": vault.url,
        "KEY_VAULT_TTL_SECONDS": "1",
        "REQUESTS_CA_BUNDLE": str(certificate),
    }


async def test_the_vault_and_the_identity_go_offline_and_come_back(
    endpoint: Upstream, tmp_path: Path
) -> None:
    # Keys that expire at once, so that every start needs the credential again.
    endpoint.on(MINT, lambda: key_reply("ek_test_short", int(time.time()) + 20))
    certificate = tmp_path / "ca.pem"
    async with LocalKeyVault(certificate) as vault, managed_identity_online() as identity:
        vault.secrets.set("model-key", API_KEY)
        settings = {
            "REALTIME_API_KEY": "",
            "REALTIME_API_KEY_SECRET": "model-key",
            **vault_settings(vault, certificate),
            **identity.settings,
        }
        async with hosts(1, endpoint.url, settings) as broker:
            # With a last good value at hand, no caller notices.
            async with load(broker) as coming:
                await coming.until(201)
                await vault.go_offline()
                await identity.go_offline()
                await coming.until(201, more=20)
                await identity.go_online()
                await vault.go_online()
                await coming.until(201)
            assert coming.statuses == {201}
        # Without one, every caller is refused until it is back.
        await vault.go_offline()
        async with hosts(1, endpoint.url, settings) as broker, load(broker) as coming:
            await coming.until(503)
            await vault.go_online()
            await coming.until(201)
        assert coming.statuses == {201, 503}


async def test_a_managed_identity_that_is_offline_at_the_start(endpoint: Upstream) -> None:
    identity = ManagedIdentity()
    settings = {"REALTIME_API_KEY": "", **identity.settings}
    async with hosts(1, endpoint.url, settings) as broker, load(broker) as coming:
        await coming.until(503)
        await identity.go_online()
        await coming.until(201)
        await identity.go_offline()
    assert coming.statuses == {201, 503}


async def test_a_rotation_of_the_brokers_secret_refuses_no_handle(
    endpoint: Upstream, tmp_path: Path
) -> None:
    """Three steps, as in docs/security.md: accept the new one, use it, forget the old one."""
    old, new = "the old secret of the broker: 32 bytes", "the new secret of the broker: 32 bytes"
    endpoint.on(HANG_UP, Said(200))
    certificate = tmp_path / "ca.pem"
    async with LocalKeyVault(certificate) as vault, managed_identity_online() as identity:
        vault.secrets.set("broker", old)
        settings = {
            "AzureWebJobsStorage": shared_azurite().connection,
            "BROKER_SECRET": "",
            "BROKER_SECRET_NAME": "broker",
            **vault_settings(vault, certificate),
            **identity.settings,
        }
        async with hosts(2, endpoint.url, settings) as two:
            held: list[tuple[aiohttp.ClientResponse, str]] = []

            async def start_and_look_up_calls() -> None:
                """New calls on both hosts; both still accept every earlier handle."""
                for number in range(4):
                    user = f"user-{number}"
                    started = await two.connect(number, user)
                    assert started.status == 201, await started.text()
                    held.append((started, user))
                for response, user in held:
                    for host in two.programs:
                        url = host.url + call_path(response)
                        async with two.session.get(url, headers=signed_in(user)) as answer:
                            assert answer.status == 200, await answer.text()

            async def until_both_have_read_it() -> None:
                before = vault.secrets.reads
                while vault.secrets.reads < before + 4:
                    await start_and_look_up_calls()

            await start_and_look_up_calls()
            for step in (f"{old},{new}", f"{new},{old}"):
                vault.secrets.set("broker", step)
                await until_both_have_read_it()
