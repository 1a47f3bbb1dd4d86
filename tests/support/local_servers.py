"""One of each local server, with a request that it accepts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from local.azure import key_vault, managed_identity
from local.gateway.app import make_app as make_gateway
from local.host.app import FunctionHost
from local.host.config import HostConfig
from local.host.indexing import index_functions
from local.host.loading import load_app
from realtime_emulator.app import make_app as make_emulator
from realtime_emulator.serving.trusted_hosts import TrustedHosts
from shared.storage.memory import MemoryStorage
from tests.support import sites
from tests.support.emulator_server import Fakes
from tests.support.programs import ROOT, running

ECHO = ROOT / "tests" / "contract" / "host" / "apps" / "good"
SECRETS = key_vault.Secrets()
SECRETS.set("name", "value")


@dataclass(frozen=True, slots=True)
class LocalServer:
    """`line` and `headers` make a request that is answered with 200, `write` one that has a body.

    `kind` is the content type of refusals; empty where they have no body.
    """

    url: str
    line: str
    write: str
    headers: tuple[str, ...]
    kind: str


def echo_host(trusted: TrustedHosts | None) -> web.Application:
    functions = index_functions(load_app(ECHO), route_prefix="api")
    return FunctionHost(functions, HostConfig(), MemoryStorage(), threads=2).make_app(trusted)


KINDS: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    "host": ("GET /api/echo", "POST /api/echo", (), ""),
    "gateway": ("GET /page.html", "POST /.auth/login/aad", (), "text/plain"),
    "gateway-api": ("GET /api/echo", "POST /api/echo", (), "text/plain"),
    "emulator": (
        "GET /emulator",
        "POST /openai/v1/realtime/client_secrets",
        ("api-key: any",),
        "application/json",
    ),
    "identity": (
        "GET /msi/token?api-version=2019-08-01&resource=x",
        "GET /msi/token",
        ("X-IDENTITY-HEADER: local",),
        "application/json",
    ),
    "vault": (
        "GET /secrets/name",
        "PUT /secrets/name",
        ("Authorization: Bearer x",),
        "application/json",
    ),
}


def application(name: str, folder: Path, api: str, trusted: TrustedHosts | None) -> web.Application:
    makers: dict[str, Callable[[], web.Application]] = {
        "host": lambda: echo_host(trusted),
        "gateway": lambda: make_gateway(sites.make(folder), api, trusted=trusted),
        "gateway-api": lambda: make_gateway(sites.make(folder), api, trusted=trusted),
        "emulator": lambda: make_emulator(services=Fakes().services, trusted=trusted),
        "identity": lambda: managed_identity.make_app("local", trusted=trusted),
        "vault": lambda: key_vault.make_app(SECRETS, trusted),
    }
    return makers[name]()


@asynccontextmanager
async def local_server(name: str, folder: Path, *allowed: str) -> AsyncIterator[LocalServer]:
    """The server of this name, which answers to the names in `allowed` too."""
    trusted = TrustedHosts.of(allowed) if allowed else None
    async with (
        running(echo_host(trusted)) as api,
        running(application(name, folder, api, trusted)) as url,
    ):
        yield LocalServer(url, *KINDS[name])
