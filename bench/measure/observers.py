"""Observers: many in one process, beside a thread for each call.

Every call of `bench.harness.fake_sideband` sends ten events a second; what is recorded is compared
with what was sent.
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
TURNS = 5
RATE = 10.0
LIMIT = timedelta(seconds=180)


async def run(log: Log, *, rounds: int, calls: int = CALLS) -> dict[str, Any]:
    """Medians over `rounds`, in which the two ways take turns."""
    seen: dict[str, list[dict[str, Any]]] = {"ours": [], "threads": []}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        pair, trusted = issue_certificate(Path(folder), LOOPBACK)
        trust = {"SSL_CERT_FILE": str(add_public_authorities(trusted))}
        options = ("--turns", str(TURNS), "--rate", str(RATE), "--certificate", str(pair))
        sideband = python_module("bench.harness.fake_sideband", *options)
        for number in range(rounds):
            for way, each in seen.items():
                async with running_server("sideband", sideband) as (url, _):
                    arguments = (way, url, str(calls), str(TURNS))
                    observer = python_module("bench.harness.observer_process", *arguments)
                    found = await run_for_json(observer, trust, limit=LIMIT)
                each.append(found)
                log(
                    f"  {number + 1}/{rounds} {way:<8} {calls} calls  "
                    f"lag p99 {found['lag_p99_ms']:6.1f} ms  max {found['lag_max_ms']:6.1f} ms  "
                    f"{found.get('memory_kib_a_call', 0):6.0f} KiB and "
                    f"{found.get('cpu_ms_a_call', 0):6.1f} ms of CPU a call  "
                    f"losses in {found['calls_with_losses']} calls"
                )
    return {
        "calls": calls,
        "events_a_second": RATE,
        "seconds": TURNS * EVENTS_PER_TURN / RATE,
        **{way: medians(each) for way, each in seen.items()},
        "lost": sum(one["calls_with_losses"] for one in seen["ours"]),
    }
