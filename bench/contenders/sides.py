"""The sides: the broker, what one would run instead, and a proxy that does nothing (the floor).

All of them in front of the same stand-in for the model's endpoint
(`bench.harness.fake_endpoint`: TLS, a set latency); `bench.measure.requests` measures them.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from bench.harness.fake_endpoint import SDP
from bench.harness.load import Load
from bench.harness.processes import ROOT, clean_environment, module, quiet, server
from bench.measure.distance import Distance
from local.azure.managed_identity import IDENTITY_PATH
from local.common import server as serving
from local.common.child_process import Child

LATENCY = 0.150
SESSION = {
    "expires_after": {"anchor": "created_at", "seconds": 60},
    "session": {
        "type": "realtime",
        "model": "gpt-realtime",
        "instructions": "You are a helpful assistant." * 20,
        "audio": {"output": {"voice": "marin"}},
    },
}
BOUNDARY = "the-boundary-of-the-bench"
FORM = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="sdp"\r\n\r\n'
    f"{SDP.decode()}\r\n--{BOUNDARY}--\r\n"
)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Side:
    """One server, and how it is asked for a key (`token`) and a call (`connect`)."""

    name: str
    loads: Mapping[str, Load]
    process: int
    slow: bool = False


def certificates(folder: Path, address: str) -> tuple[Path, Path]:
    """Certificate and key of a server at `address`, and the authority to believe it by."""
    authority = trustme.CA()
    pair, believed = folder / "pair.pem", folder / "authority.pem"
    issued = authority.issue_cert(address, "localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(pair))
    authority.cert_pem.write_to_path(str(believed))
    return pair, believed


@asynccontextmanager
async def endpoint(
    folder: Path, latency: float = LATENCY, distance: Distance | None = None
) -> AsyncIterator[tuple[str, Path]]:
    """The stand-in, at a distance if one is given, and the certificate to believe it by."""
    address = distance.address if distance else serving.LOOPBACK
    pair, believed = certificates(folder, address)
    command = module(
        "bench.harness.fake_endpoint",
        *("--latency", str(latency), "--certificate", str(pair), "--address", address),
    )
    if distance:
        command = distance.there(command)
    async with server("upstream", command) as (url, _):
        yield url, believed


@asynccontextmanager
async def identity() -> AsyncIterator[dict[str, str]]:
    """A managed identity's endpoint; gives the environment that leads to it."""
    header = "bench"
    command = module(
        "local.azure.managed_identity", "--port", "0", "--exit-with-parent", "--log", "warning"
    )
    async with server("identity", command, {"IDENTITY_HEADER": header}) as (url, _):
        yield {"IDENTITY_ENDPOINT": url + IDENTITY_PATH, "IDENTITY_HEADER": header}


def broker_settings(url: str, **more: str) -> dict[str, str]:
    return {
        "REALTIME_ENDPOINT": url,
        "REALTIME_MODEL": "gpt-realtime",
        "CALLER_AUTH": "anonymous",
        "BROKER_SECRET": "the secret of the broker on the bench",
        "LIMIT_STARTS_PER_MINUTE": "0",
        "LIMIT_LIVE_CALLS": "0",
        "OBSERVER": "off",
        **more,
    }


@asynccontextmanager
async def broker(name: str, settings: Mapping[str, str], *, spread: bool) -> AsyncIterator[Side]:
    """The broker on the local host, storage in memory."""
    command = module(
        "local.host", "--port", "0", "--exit-with-parent", "--without-local-settings", "--log"
    )
    async with server(name, (*command, "warning"), settings) as (url, child):
        yield Side(name, loads_of(url, spread=spread), child.process.pid)


def loads_of(url: str, *, spread: bool) -> dict[str, Load]:
    """How the broker at `url` is asked."""
    sdp = {"Content-Type": "application/sdp"}
    return {
        "token": Load(f"{url}/api/token", "GET", spread=spread),
        "connect": Load(f"{url}/api/connect", body=SDP.decode(), headers=sdp, spread=spread),
    }


@asynccontextmanager
async def article(settings: Mapping[str, str]) -> AsyncIterator[Side]:
    """The articles' service: gunicorn, four sync workers."""
    port = free_port()
    command = module(
        "gunicorn",
        "-w",
        "4",
        "-b",
        f"127.0.0.1:{port}",
        "--timeout",
        "120",
        "bench.contenders.article:app",
    )
    async with started("article", command, settings, port) as child:
        url = f"http://127.0.0.1:{port}"
        form = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        loads = {
            "token": Load(f"{url}/token", "GET"),
            "connect": Load(f"{url}/connect", body=FORM, headers=form),
        }
        yield Side("article", loads, child.process.pid, slow=True)


@asynccontextmanager
async def proxy(upstream: str, folder: Path, believed: Path) -> AsyncIterator[Side]:
    """nginx, one process, TLS to the endpoint with kept connections: the floor."""
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(
        folder=folder, port=port, upstream=upstream.removeprefix("https://"), believed=believed
    ))  # fmt: skip
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    command = (nginx, "-p", str(folder), "-e", "stderr", "-c", str(configuration))
    async with started("nginx", command, {}, port) as child:
        base = f"http://127.0.0.1:{port}/openai/v1/realtime"
        proof = {"Authorization": "Bearer of-the-bench"}
        loads = {
            "token": Load(
                f"{base}/client_secrets",
                body=json.dumps(SESSION),
                headers={**proof, "Content-Type": "application/json"},
            ),
            "connect": Load(
                f"{base}/calls",
                body=SDP.decode(),
                headers={**proof, "Content-Type": "application/sdp"},
            ),
        }
        yield Side("nginx", loads, child.process.pid)


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
      proxy_ssl_verify on; proxy_ssl_trusted_certificate {believed}; proxy_ssl_name localhost;
    }}
  }}
}}
"""


def nginx_missing() -> str:
    """Why the floor cannot be measured; "" where it can."""
    found = shutil.which("nginx") or Path("/usr/sbin/nginx").exists()
    return "" if found else "nginx is not installed (Debian: apt-get install nginx-light)"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@asynccontextmanager
async def started(
    name: str, command: Sequence[str], environment: Mapping[str, str], port: int
) -> AsyncIterator[Child]:
    """A server that does not say when it is ready: it is, once its port takes a connection."""
    child = await Child.start(
        name, command, environment=clean_environment(environment), folder=ROOT, on_line=quiet
    )
    try:
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.1)
        else:
            raise RuntimeError(f"{name} does not listen: {' '.join(child.lines)[-500:]}")
        yield child
    finally:
        await child.stop()
