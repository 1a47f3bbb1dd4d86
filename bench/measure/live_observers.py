"""Observers of Live calls: what the reflected audio of both sides costs, which nobody asked for.

The same calls are observed three times: as the broker does it; with a reader that parses the JSON
of every frame; and without audio, which says what all the rest costs. Then one connection receives
frames of audio as fast as it can, which says what one of them costs.
"""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.contenders.servers import Log
from bench.harness.processes import python_module, run_for_json, running_server
from bench.harness.tls import add_public_authorities, issue_certificate
from bench.report.stats import medians
from realtime_emulator.serving.server import LOOPBACK

CALLS = 300
SECONDS = 15
"""A shorter call is billed as one of 15 s."""
LIMIT = timedelta(seconds=240)
WAYS = {"ours": "ours", "parsing": "parsing", "silent": "ours"}


async def run(
    log: Log, *, rounds: int, calls: int = CALLS, seconds: int = SECONDS
) -> dict[str, Any]:
    """Medians over `rounds`, in which the ways take turns."""
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        pair, trusted = issue_certificate(Path(folder), LOOPBACK)
        trust = {"SSL_CERT_FILE": str(add_public_authorities(trusted))}
        for number in range(rounds):
            for name, way in WAYS.items():
                options = ["--seconds", str(seconds), "--certificate", str(pair)]
                options += ["--silent"] if name == "silent" else []
                sideband = python_module("bench.harness.live_sideband", *options)
                async with running_server("sideband", sideband) as (url, _):
                    arguments = (way, url, str(calls), str(seconds))
                    observer = python_module("bench.harness.live_observer_process", *arguments)
                    found = await run_for_json(observer, trust, limit=LIMIT)
                seen[name].append(found)
                log(
                    f"  {number + 1}/{rounds} {name:<8} {calls} calls  "
                    f"lag p99 {found['lag_p99_ms']:6.1f} ms  max {found['lag_max_ms']:6.1f} ms  "
                    f"{found.get('cpu_ms_a_call', 0):6.1f} ms of CPU a call  "
                    f"losses in {found['calls_with_losses']} calls"
                )
        sideband = python_module("bench.harness.live_sideband", "--certificate", str(pair))
        frames: list[dict[str, Any]] = []
        for _ in range(rounds):
            async with running_server("sideband", sideband) as (url, _):
                reader = python_module("bench.harness.live_frames_process", url)
                frames.append(await run_for_json(reader, trust, limit=LIMIT))
        log(f"  a frame: {frames[-1]}")
    return {
        "frame": medians(frames),
        "calls": calls,
        "seconds": seconds,
        **{name: medians(each) for name, each in seen.items()},
        "lost": sum(one["calls_with_losses"] for each in seen.values() for one in each),
    }
