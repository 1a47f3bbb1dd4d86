"""Observers: many in one process, beside a thread for each call; and as many as a crowd is.

Every call of `bench.harness.fake_sideband` sends ten events a second; what is recorded is compared
with what was sent. The two ways are compared with as many calls as a thread for each can follow
here: of a crowd, most threads' calls were over before the last were dialled, and calls were lost.
"""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.contenders.servers import Log
from bench.harness.fake_sideband import EVENTS_PER_TURN
from bench.harness.processes import python_module, run_for_json, running_server
from bench.harness.tls import add_public_authorities, issue_certificate
from bench.report.stats import medians
from realtime_emulator.serving.server import LOOPBACK

CALLS = 300
CROWD = 1_000
TURNS = 5
RATE = 10.0
LIMIT = timedelta(seconds=180)


async def run(log: Log, *, rounds: int, calls: int = CALLS, crowd: int = CROWD) -> dict[str, Any]:
    """Medians over `rounds`, in which the two ways take turns, and what a crowd is like."""
    seen: dict[str, list[dict[str, Any]]] = {"ours": [], "threads": []}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        certificate = issue_certificate(Path(folder), LOOPBACK)
        for number in range(rounds):
            for way, each in seen.items():
                each.append(await observe_calls(way, calls, certificate))
                log(f"  {number + 1}/{rounds} {way:<8} {calls} calls  {told(each[-1])}")
        crowded = await observe_calls("ours", crowd, certificate)
        log(f"  ours {crowd} calls  {told(crowded)}")
    return {
        "calls": calls,
        "events_a_second": RATE,
        "seconds": TURNS * EVENTS_PER_TURN / RATE,
        **{way: medians(each) for way, each in seen.items()},
        "crowd": {"calls": crowd, **crowded},
        "lost": sum(one["calls_with_losses"] for one in (*seen["ours"], crowded)),
        "false_gaps": sum(one["calls_with_false_gaps"] for one in (*seen["ours"], crowded)),
    }


async def observe_calls(way: str, calls: int, certificate: tuple[Path, Path]) -> dict[str, Any]:
    """What so many calls cost that are observed in that way."""
    pair, trusted = certificate
    bundle = str(add_public_authorities(trusted))
    trust = {"SSL_CERT_FILE": bundle, "REQUESTS_CA_BUNDLE": bundle}
    options = ("--turns", str(TURNS), "--rate", str(RATE), "--certificate", str(pair))
    sideband = python_module("bench.harness.fake_sideband", *options)
    at_once = ("--latency", "0", "--certificate", str(pair))
    endpoint = python_module("bench.harness.fake_endpoint", *at_once)
    async with (
        running_server("sideband", sideband) as (url, _),
        running_server("endpoint", endpoint) as (rest, _),
    ):
        arguments = (way, url, str(calls), str(TURNS), rest)
        observer = python_module("bench.harness.observer_process", *arguments)
        return await run_for_json(observer, trust, limit=LIMIT)


def told(found: dict[str, Any]) -> str:
    return (
        f"lag p99 {found['lag_p99_ms']:6.1f} ms  max {found['lag_max_ms']:6.1f} ms  "
        f"{found.get('memory_kib_a_call', 0):6.0f} KiB and "
        f"{found.get('cpu_ms_a_call', 0):6.1f} ms of CPU a call  "
        f"losses in {found['calls_with_losses']} calls, gaps that are none in "
        f"{found.get('calls_with_false_gaps', 0)}"
    )
