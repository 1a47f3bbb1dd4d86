"""Side by side: the broker, what one would run instead, and a proxy that does nothing (the floor).

All of them in front of the same stand-in for the model's endpoint (`bench.upstream`: TLS, a set
latency), under the same load, in rounds that take turns.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import trustme

from bench.load import Load
from bench.numbers import middle
from bench.processes import module, server, told, weigh
from bench.upstream import SDP
from local.identity import PATH as TOKEN_PATH
from local.processes import Child

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
CROWDS = (64, 256)
SETTLE = 1.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Side:
    """One server, and how it is asked for a key (`token`) and a call (`connect`)."""

    name: str
    loads: Mapping[str, Load]
    process: int
    slow: bool = False


def certificates(folder: Path) -> tuple[Path, Path]:
    """Certificate and key of a server on this machine, and the authority to believe it by."""
    authority = trustme.CA()
    pair, believed = folder / "pair.pem", folder / "authority.pem"
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(pair))
    authority.cert_pem.write_to_path(str(believed))
    return pair, believed


@asynccontextmanager
async def endpoint(folder: Path, latency: float = LATENCY) -> AsyncIterator[tuple[str, Path]]:
    """The stand-in, and the certificate to believe it by."""
    pair, believed = certificates(folder)
    command = module("bench.upstream", "--latency", str(latency), "--certificate", str(pair))
    async with server("upstream", command) as (url, _):
        yield url, believed


@asynccontextmanager
async def identity() -> AsyncIterator[dict[str, str]]:
    """A managed identity's endpoint; gives the environment that leads to it."""
    header = "bench"
    command = module("local.identity", "--port", "0", "--exit-with-parent", "--log", "warning")
    async with server("identity", command, {"IDENTITY_HEADER": header}) as (url, _):
        yield {"IDENTITY_ENDPOINT": url + TOKEN_PATH, "IDENTITY_HEADER": header}


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
        sdp = {"Content-Type": "application/sdp"}
        loads = {
            "token": Load(f"{url}/api/token", "GET", spread=spread),
            "connect": Load(f"{url}/api/connect", body=SDP.decode(), headers=sdp, spread=spread),
        }
        yield Side(name, loads, child.process.pid)


@asynccontextmanager
async def article(settings: Mapping[str, str]) -> AsyncIterator[Side]:
    """The articles' service: gunicorn, four sync workers."""
    port = free_port()
    command = module(
        "gunicorn", "-w", "4", "-b", f"127.0.0.1:{port}", "--timeout", "120", "bench.article:app"
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
    from bench.processes import ROOT, clean_environment, quiet

    child = await Child.start(
        name, command, environment=clean_environment(environment), folder=ROOT, hear=quiet
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


async def send(load: Load) -> dict[str, Any]:
    """One load, by a generator of its own."""
    within = load.seconds + load.patience + 20
    return dict(json.loads(await told(module("bench.load", load.json()), within=within)))


async def measured(side: Side, load: Load) -> dict[str, Any]:
    """One load against one side: what the callers saw, and what it cost the server."""
    before = weigh(side.process)
    seen = await send(load)
    after = weigh(side.process)
    if before.cpu is not None and after.cpu is not None:
        seen["cpu_ms"] = (after.cpu - before.cpu) * 1000 / max(1, seen["answers"])
    seen["memory_mib"] = after.memory
    seen["load_average"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    bad = {status: n for status, n in seen["statuses"].items() if status not in ("200", "201")}
    seen["refused"] = sum(bad.values())
    return seen


async def run(say: Say, *, rounds: int, seconds: float, only: Sequence[str] = ()) -> dict[str, Any]:
    """Every side under every load; medians over the rounds, `added_ms` above the latency."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        async with AsyncExitStack() as stack:
            folder = Path(name)
            url, believed = await stack.enter_async_context(endpoint(folder))
            proof = await stack.enter_async_context(identity())
            trust = {"REQUESTS_CA_BUNDLE": str(believed), **proof}
            off = {**broker_settings(url), **trust}
            on = {
                **off,
                "CALLER_TRUSTED_PROXIES": "1",
                "LIMIT_STARTS_PER_MINUTE": "6",
                "LIMIT_LIVE_CALLS": "2",
            }
            enter = stack.enter_async_context
            sides = [
                await enter(article({"REALTIME_ENDPOINT": url, **trust})),
                await enter(broker("broker", off, spread=False)),
                await enter(broker("broker, limits on", on, spread=True)),
            ]
            skipped = nginx_missing()
            if skipped:
                say(f"  the floor is skipped: {skipped}")
            else:
                sides.append(await enter(proxy(url, folder, believed)))
            sides = [side for side in sides if not only or side.name in only]
            ceiling = await ceilings(url, believed, seconds)
            say(f"  the endpoint alone answers {ceiling['per_second']:.0f}/s to 256 callers")
            found = await all_rounds(sides, say, rounds, seconds)
    return {"latency_ms": LATENCY * 1000, "ceiling": ceiling, "skipped": skipped, "sides": found}


async def ceilings(url: str, believed: Path, seconds: float) -> dict[str, Any]:
    """What the stand-in and the load generator can do together, with nothing in between."""
    load = Load(
        f"{url}/openai/v1/realtime/calls",
        body=SDP.decode(),
        callers=256,
        seconds=seconds,
        settle=SETTLE,
        certificate=str(believed),
    )
    return await send(load)


async def all_rounds(
    sides: Sequence[Side], say: Say, rounds: int, seconds: float
) -> dict[str, dict[str, dict[str, Any]]]:
    seen: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for side in sides:  # what is warmed while nobody waits is warm
        for load in side.loads.values():
            await send(replace(load, callers=4, count=8, seconds=10))
    for number in range(rounds):
        for callers in (1, *CROWDS):
            for what in ("token", "connect"):
                for side in sides:
                    load = side.loads[what]
                    if callers == 1:
                        load = replace(load, count=15, seconds=20)
                    elif side.slow:
                        # At 256 callers it takes a caller half a minute to get an answer: once.
                        if callers == CROWDS[-1] and number:
                            continue
                        load = replace(load, callers=callers, seconds=seconds, every_caller=True)
                    else:
                        load = replace(load, callers=callers, seconds=seconds, settle=SETTLE)
                    began = time.monotonic()
                    came = await measured(side, load)
                    seen.setdefault((side.name, f"{what} {callers}"), []).append(came)
                    say(
                        f"  {number + 1}/{rounds} {side.name:<18} /{what:<8}{callers:>4} callers  "
                        f"{came['per_second']:7.1f}/s  p50 {came['p50_ms']:7.1f} ms  "
                        f"p99 {came['p99_ms']:7.1f} ms  ({time.monotonic() - began:.0f} s)"
                    )
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for (side_name, what), each in seen.items():
        merged = middle(each)
        merged["added_p50_ms"] = merged["p50_ms"] - LATENCY * 1000
        merged["added_p99_ms"] = merged["p99_ms"] - LATENCY * 1000
        merged["rounds"] = len(each)
        found.setdefault(side_name, {})[what] = merged
    return found


def main() -> None:
    def say(text: str) -> None:
        print(text, file=sys.stderr)

    print(json.dumps(asyncio.run(run(say, rounds=1, seconds=4, only=sys.argv[1:]))))


if __name__ == "__main__":
    main()
