"""Observers beside each other: many in one process, against a thread for each call.

Every call of `bench.harness.fake_sideband` says ten events a second; what is kept is compared with
what was said.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import certifi

from bench.contenders.sides import Say, certificates
from bench.harness.processes import module, server, told
from bench.report.stats import middle
from local.common.server import LOOPBACK

CALLS = 300
TURNS = 5
PACE = 10.0


async def run(say: Say, *, rounds: int, calls: int = CALLS) -> dict[str, Any]:
    """Medians over `rounds`; the two ways take turns."""
    seen: dict[str, list[dict[str, Any]]] = {"ours": [], "threads": []}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        pair, believed = certificates(Path(folder), LOOPBACK)
        trust = {"SSL_CERT_FILE": str(everybody(Path(folder), believed))}
        for number in range(rounds):
            for way, each in seen.items():
                source = ("--turns", str(TURNS), "--pace", str(PACE), "--certificate", str(pair))
                async with server("source", module("bench.harness.fake_sideband", *source)) as (
                    url,
                    _,
                ):
                    command = module(
                        "bench.harness.observer_process", way, url, str(calls), str(TURNS)
                    )
                    each.append(json.loads(await told(command, trust, within=180)))
                last = each[-1]
                say(
                    f"  {number + 1}/{rounds} {way:<8} {calls} calls  "
                    f"lag p99 {last['lag_p99_ms']:6.1f} ms  max {last['lag_max_ms']:6.1f} ms  "
                    f"{last.get('memory_kib_a_call', 0):6.0f} KiB and "
                    f"{last.get('cpu_ms_a_call', 0):6.1f} ms of CPU a call  "
                    f"losses in {last['calls_with_losses']} calls"
                )
    return {
        "calls": calls,
        "events_a_second": PACE,
        "seconds": TURNS * 20 / PACE,
        **{way: middle(each) for way, each in seen.items()},
        "lost": sum(one["calls_with_losses"] for one in seen["ours"]),
    }


def everybody(folder: Path, believed: Path) -> Path:
    """The authorities that a machine believes, and the bench's: to load them all has its price."""
    bundle = folder / "bundle.pem"
    bundle.write_text(Path(certifi.where()).read_text() + believed.read_text())
    return bundle


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(lambda t: print(t, file=sys.stderr), rounds=1)), indent=1))
