"""The contenders: the broker, what one would run instead, and nginx, which sets the bar.

All of them stand in front of the same stand-in for the model's endpoint (TLS, a set latency);
`bench.measure` loads them.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bench.harness.distance import Distance
from bench.harness.fake_endpoint import SDP
from bench.harness.load import Load
from bench.harness.processes import (
    ROOT,
    START_LIMIT,
    clean_environment,
    discard_log,
    python_module,
    running_server,
)
from bench.harness.tls import issue_certificate
from local.azure.managed_identity import IDENTITY_PATH
from local.common.child_process import Child
from local.stack import GRACE_PERIOD
from realtime_emulator.serving import server
from tests.support.ports import free_ports

LATENCY = timedelta(milliseconds=150)
SESSION = {
    "expires_after": {"anchor": "created_at", "seconds": 60},
    "session": {
        "type": "realtime",
        "model": "gpt-realtime",
        "instructions": "You are a helpful assistant." * 20,
        "audio": {"output": {"voice": "marin"}},
    },
}
BOUNDARY = "boundary-of-the-bench"
FORM = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="sdp"\r\n\r\n{SDP}\r\n--{BOUNDARY}--\r\n'
)
SDP_TYPE = {"Content-Type": "application/sdp"}
Log = Callable[[str], None]
"""Gets a line about the progress."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One server, and the loads that ask it for a key (`token`) and for a call (`connect`)."""

    name: str
    loads: Mapping[str, Load]
    pid: int
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Backend:
    """What contenders stand in front of: the endpoint at `url`, trusted by the authority in
    `trusted`, and a managed identity. `environment` leads a contender to both. `folder` is for
    temporary files."""

    url: str
    trusted: Path
    environment: Mapping[str, str]
    folder: Path

    def broker_settings(self, **more: str) -> dict[str, str]:
        return {**broker_settings(self.url), **self.environment, **more}


@asynccontextmanager
async def backend(
    latency: timedelta = LATENCY, distance: Distance | None = None
) -> AsyncIterator[Backend]:
    """The endpoint answers after `latency`, and is at a distance if one is given."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        address = distance.address if distance else server.LOOPBACK
        pair, trusted = issue_certificate(folder, address)
        command = python_module(
            "bench.harness.fake_endpoint",
            *("--latency", str(latency.total_seconds())),
            *("--certificate", str(pair), "--address", address),
        )
        if distance:
            command = distance.far_command(command)
        url, _ = await stack.enter_async_context(running_server("endpoint", command))
        trust = {"REQUESTS_CA_BUNDLE": str(trusted)}
        identity = await stack.enter_async_context(managed_identity())
        yield Backend(url, trusted, {**trust, **identity}, folder)


@asynccontextmanager
async def managed_identity() -> AsyncIterator[dict[str, str]]:
    """A managed identity's endpoint; gives the environment that leads to it."""
    header = "bench"
    command = python_module(
        "local.azure.managed_identity", "--port", "0", "--exit-with-parent", "--log", "warning"
    )
    async with running_server("identity", command, {"IDENTITY_HEADER": header}) as (url, _):
        yield {"IDENTITY_ENDPOINT": url + IDENTITY_PATH, "IDENTITY_HEADER": header}


LIMITS_ON = {
    "CALLER_TRUSTED_PROXIES": "1",
    "LIMIT_STARTS_PER_MINUTE": "6",
    "LIMIT_LIVE_CALLS": "2",
}


def broker_settings(url: str) -> dict[str, str]:
    return {
        "REALTIME_ENDPOINT": url,
        "REALTIME_MODEL": "gpt-realtime",
        "CALLER_AUTH": "anonymous",
        "BROKER_SECRET": "the secret of the broker on the bench",
        "LIMIT_STARTS_PER_MINUTE": "0",
        "LIMIT_LIVE_CALLS": "0",
        "OBSERVER": "off",
    }


@asynccontextmanager
async def broker(
    settings: Mapping[str, str], name: str = "broker", *, spread: bool = False
) -> AsyncIterator[Contender]:
    """The broker on the local host, storage in memory unless `settings` say otherwise."""
    options = ("--port", "0", "--exit-with-parent", "--without-local-settings", "--log", "warning")
    command = python_module("local.host", *options)
    async with running_server(name, command, settings) as (url, child):
        yield Contender(name, broker_loads(url, spread=spread), child.process.pid)


def broker_loads(url: str, *, spread: bool) -> dict[str, Load]:
    return {
        "token": Load(f"{url}/api/token", "GET", spread=spread),
        "connect": Load(f"{url}/api/connect", body=SDP, headers=SDP_TYPE, spread=spread),
    }


@asynccontextmanager
async def article(behind: Backend) -> AsyncIterator[Contender]:
    """The articles' service: gunicorn, four sync workers."""
    (port,) = free_ports(1)
    options = ("-w", "4", "-b", f"127.0.0.1:{port}", "--timeout", "120")
    command = python_module("gunicorn", *options, "bench.contenders.article:app")
    environment = {"REALTIME_ENDPOINT": behind.url, **behind.environment}
    async with listening("article", command, environment, port) as child:
        url = f"http://127.0.0.1:{port}"
        form = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        loads = {
            "token": Load(f"{url}/token", "GET"),
            "connect": Load(f"{url}/connect", body=FORM, headers=form),
        }
        yield Contender("article", loads, child.process.pid, slow=True)


@asynccontextmanager
async def nginx(behind: Backend) -> AsyncIterator[Contender]:
    """nginx, one process, TLS to the endpoint over kept-alive connections."""
    (port,) = free_ports(1)
    folder, configuration = behind.folder, behind.folder / "nginx.conf"
    upstream = behind.url.removeprefix("https://")
    configuration.write_text(
        NGINX.format(folder=folder, port=port, upstream=upstream, trusted=behind.trusted)
    )
    command = (nginx_program() or "", "-p", str(folder), "-e", "stderr", "-c", str(configuration))
    async with listening("nginx", command, {}, port) as child:
        base = f"http://127.0.0.1:{port}/openai/v1/realtime"
        bearer, as_json = {"Authorization": "Bearer bench"}, {"Content-Type": "application/json"}
        session = json.dumps(SESSION)
        loads = {
            "token": Load(f"{base}/client_secrets", body=session, headers={**bearer, **as_json}),
            "connect": Load(f"{base}/calls", body=SDP, headers={**bearer, **SDP_TYPE}),
        }
        yield Contender("nginx", loads, child.process.pid)


NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid;
events {{ worker_connections 2048; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 1000000;
  upstream model {{ server {upstream}; keepalive 256; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location / {{
      proxy_pass https://model; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_ssl_verify on; proxy_ssl_trusted_certificate {trusted}; proxy_ssl_name localhost;
    }}
  }}
}}
"""


def nginx_program() -> str | None:
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


def nginx_missing() -> str:
    """Why nginx cannot be measured; "" where it can."""
    return "" if nginx_program() else "nginx is not installed (Debian: apt-get install nginx-light)"


@asynccontextmanager
async def listening(
    name: str, command: Sequence[str], environment: Mapping[str, str], port: int
) -> AsyncIterator[Child]:
    """A server that does not print when it is ready: it is once its port accepts a connection."""
    child = await Child.start(
        name, command, environment=clean_environment(environment), folder=ROOT, on_line=discard_log
    )
    try:
        try:
            async with asyncio.timeout(START_LIMIT.total_seconds()):
                await accepts_connections(port)
        except TimeoutError:
            raise RuntimeError(f"{name} does not listen: {' '.join(child.lines)[-500:]}") from None
        yield child
    finally:
        await child.stop(GRACE_PERIOD)


async def accepts_connections(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
