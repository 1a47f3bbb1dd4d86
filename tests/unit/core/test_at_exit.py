"""How a process ends that gets SIGTERM while it observes calls, and in a worker of Functions."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.core.stopping import Stopping
from tests.support.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and SIGTERM")
BUSY = """
import asyncio, os, signal, time
from shared.core import at_exit, stopping
began = time.monotonic()
busy = [True]
at_exit.run_at_exit(lambda: print("written", flush=True), lambda: busy[0])

async def main():
    os.kill(os.getpid(), signal.SIGTERM)
    await stopping.PROCESS.wait()
    print("told", flush=True)
    await asyncio.sleep(0.2)
    busy[0] = False
    print("handed over", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
IN_A_WORKER = """
import signal, subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", '''
import os, signal, time
from shared.core.at_exit import run_at_exit
run_at_exit(lambda: print("written", flush=True))
print("ready", flush=True)
for _ in range(600):
    time.sleep(0.1)
'''], stdout=subprocess.PIPE, text=True)
assert worker.stdout.readline() == "ready\\n"
worker.send_signal(signal.SIGTERM)
assert worker.stdout.readline() == "written\\n"
time.sleep(0.3)
assert worker.poll() is None, "its host may still ask it"
print(worker.pid, flush=True)
"""


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_calls_are_handed_over_before_the_process_ends() -> None:
    done = run(BUSY)
    assert done.stdout.split("\n")[:3] == ["told", "handed over", "written"], done.stderr
    assert done.returncode == -15


def test_a_worker_answers_until_its_host_is_gone() -> None:
    done = run(IN_A_WORKER, FUNCTIONS_WORKER_RUNTIME="python")
    assert done.returncode == 0, done.stderr
    give_up_at = time.monotonic() + PATIENCE
    while is_alive(int(done.stdout)):
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_whoever_waits_on_any_loop_is_told_once() -> None:
    stopping = Stopping()
    waiting = [asyncio.create_task(stopping.wait()) for _ in range(2)]
    waiting[0].cancel()
    await asyncio.sleep(0)
    await asyncio.to_thread(stopping.begin)
    await asyncio.wait_for(waiting[1], PATIENCE)
    stopping.begin()
    await asyncio.wait_for(stopping.wait(), PATIENCE)
    assert stopping.waiting == []
