"""Everything that runs in a soak: Azurite, a vault and an identity endpoint behind relays, the
emulator as the model's endpoint, and two hosts of which each has its own clock."""

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
from shared.storage.azure import open_storage
from tests.soak.account import Account
from tests.soak.clocks import library, shifted
from tests.soak.hosts import Hear, Host
from tests.soak.relay import Relay
from tests.soak.thread_report import telling
from tests.support.azurite import ACCOUNT, KEY, start_azurite, stop
from tests.support.ports import free_ports
from tests.support.programs import running

CALL_SECONDS = 20
LIVE_CALLS = 4
CLOCKS = (timedelta(seconds=-5), timedelta(seconds=5))
"""By so much each host's clock is wrong; docs/scale.md says what is borne."""
VAULT_TTL = 8
HEADER = "a-header-of-the-platform"
SECRETS = {
    "broker-secret": "the secret of the broker in the soak",
    "model-key": "a-key-of-the-soak",
    "instructions": "You are the assistant of the soak.",
}


@dataclass
class Stage:
    """What runs. `storage` is reached past the relays; `endpoint` is the emulator's process and
    the file in which it tells of its threads; `ports` are all that are taken."""

    session: aiohttp.ClientSession
    emulator: str
    hosts: list[Host]
    storage: Any
    storage_by_relay: Any
    vault: LocalKeyVault
    storage_ways: tuple[Relay, Relay, Relay]
    vault_way: Relay
    endpoint: tuple[int, Path]
    ports: dict[int, str]
    skewed: bool

    def telling(self) -> dict[str, tuple[int, Path]]:
        """The processes of which nothing may be left over, each with the file in which it tells
        of its threads."""
        hosts = {f"host {host.number}": (host.pid, host.threads) for host in self.hosts}
        return {**hosts, "the emulator": self.endpoint}

    async def script(self, **changes: Any) -> None:
        """Changes the emulator's script."""
        async with self.session.patch(f"{self.emulator}/emulator", json=changes) as answer:
            answer.raise_for_status()

    async def state(self) -> dict[str, Any]:
        """The emulator's own account of everything."""
        async with self.session.get(f"{self.emulator}/emulator") as answer:
            return dict(await answer.json())


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


def profiles(folder: Path) -> Path:
    """A folder with one profile: the default one, its instructions in the vault."""
    folder.mkdir()
    profile = json.loads((ROOT / "profiles" / "default.json").read_text(encoding="utf-8"))
    del profile["session"]["instructions"], profile["$schema"]
    profile["instructions_secret"] = "instructions"
    (folder / "default.json").write_text(json.dumps(profile), encoding="utf-8")
    return folder


def settings(
    folder: Path, emulator: str, ways: tuple[Relay, Relay, Relay], vault: Relay, tokens: str
) -> dict[str, str]:
    """The app settings of both hosts, and what the platform tells them."""
    blob, queue, table = (f"http://127.0.0.1:{way.port}/{ACCOUNT}" for way in ways)
    return {
        "REALTIME_ENDPOINT": emulator,
        "REALTIME_MODEL": "gpt-realtime",
        "REALTIME_TRANSCRIPTION_MODEL": "gpt-realtime-whisper",
        "REALTIME_PROFILES": str(profiles(folder / "profiles")),
        "REALTIME_API_KEY_SECRET": "model-key",
        "BROKER_SECRET_NAME": "broker-secret",
        "KEY_VAULT_URI": f"https://127.0.0.1:{vault.port}",
        "KEY_VAULT_TTL_SECONDS": str(VAULT_TTL),
        "CALLER_AUTH": "static-web-apps",
        "LIMIT_STARTS_PER_MINUTE": "40",
        "LIMIT_LIVE_CALLS": str(LIVE_CALLS),
        "LIMIT_CALL_SECONDS": str(CALL_SECONDS),
        "TOKEN_SECONDS": "10",
        "OBSERVER": "eager",
        "TRANSCRIPTS": "on",
        "AzureWebJobsStorage": (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint={blob};QueueEndpoint={queue};TableEndpoint={table};"
        ),
        "IDENTITY_ENDPOINT": tokens + managed_identity.IDENTITY_PATH,
        "IDENTITY_HEADER": HEADER,
        "REQUESTS_CA_BUNDLE": str(folder / "ca.pem"),
        "TMPDIR": str(folder / "tmp"),
    }


@asynccontextmanager
async def stage(account: Account, folder: Path, hear: Hear) -> AsyncIterator[Stage]:
    """Starts all of it, hosts last; ends all of it. `folder` is empty and for all its files.

    Raises NoAzurite.
    """
    (folder / "tmp").mkdir()
    azurite, process = start_azurite()
    clock = await library(folder)
    async with AsyncExitStack() as stack:
        stack.callback(stop, process)
        enter = stack.enter_async_context
        kinds = (azurite.blob_port, azurite.queue_port, azurite.table_port)
        blob, queue, table = [await enter(Relay(port)) for port in kinds]
        vault = await enter(LocalKeyVault(folder / "ca.pem"))
        for name, value in SECRETS.items():
            vault.secrets.set(name, value)
        vault_way = await enter(Relay(port_of(vault.url)))
        tokens = await enter(running(managed_identity.make_app(HEADER)))
        threads = folder / "emulator.json"
        command = telling(threads, "local.emulator", "--port", "0", "--exit-with-parent")
        temporary = {"TMPDIR": str(folder / "tmp")}
        emulator, child = await enter(running_server("emulator", command, temporary))
        session = await enter(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        common = settings(folder, emulator, (blob, queue, table), vault_way, tokens)
        hosts = []
        for number, ahead in enumerate(CLOCKS, 1):
            environment = {**common, **shifted(ahead, clock)}
            told = folder / f"host-{number}.json"
            hosts.append(Host(number, free_ports(1)[0], environment, account, hear, told))
            await hosts[-1].start()
            stack.push_async_callback(hosts[-1].stop)
        yield Stage(
            session,
            emulator,
            hosts,
            open_storage(azurite.connection),
            open_storage(common["AzureWebJobsStorage"]),
            vault,
            (blob, queue, table),
            vault_way,
            (child.process.pid, threads),
            {
                port_of(emulator): "the model's endpoint",
                **{way.port: "storage" for way in (blob, queue, table)},
                vault_way.port: "the vault",
                port_of(tokens): "the identity endpoint",
                **dict.fromkeys(kinds, "Azurite"),
                **{host.port: f"host {host.number}" for host in hosts},
            },
            clock is not None,
        )
