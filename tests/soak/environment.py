"""Everything that runs in a soak: Azurite, a vault and an identity endpoint behind relays, the
emulator as the model's endpoint, and two hosts, each with a clock of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from bench.harness.processes import ROOT, running_server
from local.azure import managed_identity
from local.azure.key_vault import LocalKeyVault
from local.common.child_process import Child
from shared.storage.azure import open_storage
from tests.soak.clocks import compile_library, shifted_clock
from tests.soak.hosts import Host, OnLine
from tests.soak.journal import Journal
from tests.soak.relay import Relay
from tests.soak.thread_report import reporting_command
from tests.support.azurite import ACCOUNT, KEY, start_azurite, stop
from tests.support.ports import free_ports
from tests.support.programs import running

CALL_SECONDS = 20
LIVE_CALLS = 4
TOKEN_SECONDS = 10
CLOCKS = (timedelta(seconds=-45), timedelta(seconds=45))
"""How far each host's clock is wrong. They correct them by storage's (docs/scale.md)."""
VAULT_TTL = 8
HEADER = "a-header-of-the-platform"
SECRETS = {
    "broker-secret": "the secret of the broker in the soak",
    "model-key": "a-key-of-the-soak",
    "instructions": "You are the assistant of the soak.",
}
StorageRelays = tuple[Relay, Relay, Relay]
"""Of blobs, queues and tables."""


@dataclass
class Environment:
    """What runs. `storage` bypasses the relays; `emulator_threads` is the file for the emulator's
    thread reports; `ports` are all that are in use."""

    session: aiohttp.ClientSession
    emulator: str
    hosts: list[Host]
    storage: Any
    relayed_storage: Any
    vault: LocalKeyVault
    storage_relays: StorageRelays
    vault_relay: Relay
    emulator_child: Child
    emulator_threads: Path
    ports: dict[int, str]
    clocks_shifted: bool

    def processes(self) -> dict[str, tuple[int, Path]]:
        """Those that must not leak anything, each with the file for its thread reports."""
        hosts = {f"host {host.number}": (host.pid, host.threads) for host in self.hosts}
        emulator = (self.emulator_child.process.pid, self.emulator_threads)
        return {**hosts, "the emulator": emulator}

    async def change_script(self, **changes: Any) -> None:
        """Changes the emulator's script."""
        async with self.session.patch(f"{self.emulator}/emulator", json=changes) as answer:
            answer.raise_for_status()

    async def emulator_state(self) -> dict[str, Any]:
        """The state of its control route. Raises ChildEnded where it has ended."""
        try:
            async with self.session.get(f"{self.emulator}/emulator") as answer:
                return dict(await answer.json())
        except aiohttp.ClientError as error:
            if self.emulator_child.exit.done():
                raise await self.emulator_child.wait_for_end() from error
            raise


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


def write_profiles(folder: Path) -> Path:
    """A folder with one profile: the default one, its instructions in the vault."""
    folder.mkdir()
    profile = json.loads((ROOT / "profiles" / "default.json").read_text(encoding="utf-8"))
    del profile["session"]["instructions"], profile["$schema"]
    profile["instructions_secret"] = "instructions"
    (folder / "default.json").write_text(json.dumps(profile), encoding="utf-8")
    return folder


def app_settings(
    folder: Path, emulator: str, storage: StorageRelays, vault: Relay, identity: str
) -> dict[str, str]:
    """The app settings of both hosts, and what the platform adds."""
    blob, queue, table = (f"http://127.0.0.1:{relay.port}/{ACCOUNT}" for relay in storage)
    return {
        "REALTIME_ENDPOINT": emulator,
        "REALTIME_MODEL": "gpt-realtime",
        "REALTIME_TRANSCRIPTION_MODEL": "gpt-realtime-whisper",
        "REALTIME_PROFILES": str(write_profiles(folder / "profiles")),
        "REALTIME_API_KEY_SECRET": "model-key",
        "BROKER_SECRET_NAME": "broker-secret",
        "KEY_VAULT_URI": f"https://127.0.0.1:{vault.port}",
        "KEY_VAULT_TTL_SECONDS": str(VAULT_TTL),
        "CALLER_AUTH": "static-web-apps",
        "LIMIT_STARTS_PER_MINUTE": "40",
        "LIMIT_LIVE_CALLS": str(LIVE_CALLS),
        "LIMIT_CALL_SECONDS": str(CALL_SECONDS),
        "TOKEN_SECONDS": str(TOKEN_SECONDS),
        "OBSERVER": "eager",
        "TRANSCRIPTS": "on",
        "AzureWebJobsStorage": (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint={blob};QueueEndpoint={queue};TableEndpoint={table};"
        ),
        "IDENTITY_ENDPOINT": identity + managed_identity.IDENTITY_PATH,
        "IDENTITY_HEADER": HEADER,
        "REQUESTS_CA_BUNDLE": str(folder / "ca.pem"),
        "TMPDIR": str(folder / "tmp"),
    }


@asynccontextmanager
async def running_environment(
    journal: Journal, folder: Path, on_line: OnLine
) -> AsyncIterator[Environment]:
    """Starts everything, hosts last, and ends everything. `folder` is empty and for all its files.

    Raises NoAzurite.
    """
    (folder / "tmp").mkdir()
    azurite, process = start_azurite()
    clock = await compile_library(folder)
    async with AsyncExitStack() as stack:
        stack.callback(stop, process)
        enter = stack.enter_async_context
        azurite_ports = (azurite.blob_port, azurite.queue_port, azurite.table_port)
        blob, queue, table = [await enter(Relay(port)) for port in azurite_ports]
        vault = await enter(LocalKeyVault(folder / "ca.pem"))
        for name, value in SECRETS.items():
            vault.secrets.set(name, value)
        vault_relay = await enter(Relay(port_of(vault.url)))
        identity = await enter(running(managed_identity.make_app(HEADER)))
        threads = folder / "emulator.json"
        command = reporting_command(
            threads, "realtime_emulator", "--port", "0", "--exit-with-parent"
        )
        emulator, child = await enter(
            running_server("emulator", command, {"TMPDIR": str(folder / "tmp")}, on_line)
        )
        session = await enter(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        settings = app_settings(folder, emulator, (blob, queue, table), vault_relay, identity)
        hosts = await start_hosts(stack, settings, clock, journal, on_line)
        yield Environment(
            session,
            emulator,
            hosts,
            open_storage(azurite.connection),
            open_storage(settings["AzureWebJobsStorage"]),
            vault,
            (blob, queue, table),
            vault_relay,
            child,
            threads,
            {
                port_of(emulator): "the model's endpoint",
                **{relay.port: "storage" for relay in (blob, queue, table)},
                vault_relay.port: "the vault",
                port_of(identity): "the identity endpoint",
                **dict.fromkeys(azurite_ports, "Azurite"),
                **{host.port: f"host {host.number}" for host in hosts},
            },
            clock is not None,
        )


async def start_hosts(
    stack: AsyncExitStack,
    settings: dict[str, str],
    clock: Path | None,
    journal: Journal,
    on_line: OnLine,
) -> list[Host]:
    """Two hosts, which `stack` ends."""
    folder = Path(settings["TMPDIR"]).parent
    hosts = []
    for number, ahead in enumerate(CLOCKS, 1):
        environment = {**settings, **shifted_clock(ahead, clock)}
        threads = folder / f"host-{number}.json"
        (port,) = free_ports(1)
        hosts.append(Host(number, port, environment, journal, on_line, threads))
        await hosts[-1].start()
        stack.push_async_callback(hosts[-1].stop)
    return hosts
