"""Processes under measurement: started, measured through /proc, always ended.

Memory (proportional set size, which counts what workers share once) and processor time are those of
the whole process tree. Where there is no /proc both are None.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from local.common.child_process import Child
from local.stack import GRACE_PERIOD
from realtime_emulator.serving import server

ROOT = Path(__file__).resolve().parents[2]
PROC = Path("/proc")
START_LIMIT = timedelta(seconds=30)
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """What a process tree has used: `cpu` seconds since its start, and `memory` in MiB now."""

    cpu: float | None
    memory: float | None

    def cpu_since(self, before: ResourceUsage) -> float | None:
        """Processor time since then, in seconds."""
        return None if self.cpu is None or before.cpu is None else self.cpu - before.cpu


def process_tree(root: int) -> list[int]:
    """`root` and all its descendants."""
    parents: dict[int, int] = {}
    for entry in PROC.glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.parent.name)] = int(fields[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def resource_usage(root: int) -> ResourceUsage:
    """What the process tree of `root` has used so far."""
    if not PROC.is_dir():
        return ResourceUsage(None, None)
    cpu = memory = 0.0
    for pid in process_tree(root):
        try:
            fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            rollup = (PROC / str(pid) / "smaps_rollup").read_text()
        except OSError:
            continue
        cpu += (int(fields[11]) + int(fields[12])) / TICKS
        pss = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
        memory += int(pss.split()[1]) / 1024
    return ResourceUsage(cpu, memory)


def discard_log(*_: str) -> None:
    """For the logs of children: `Child.lines` keeps the last of them."""


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child, without anything that would point it at a real service."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")
    base = {name: os.environ[name] for name in kept if name in os.environ}
    return {**base, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1,localhost", **more}


@asynccontextmanager
async def running_server(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str, str], None] = discard_log,
) -> AsyncIterator[tuple[str, Child]]:
    """A server that prints `ready URL`; gives its URL and the child. `on_line` gets its log."""
    child = await Child.start(
        name,
        command,
        environment=clean_environment(environment or {}),
        folder=ROOT,
        on_line=on_line,
    )
    try:
        yield await child.wait_until_ready(START_LIMIT), child
    finally:
        await child.stop(GRACE_PERIOD)


def raise_file_limit() -> None:
    """As many open files as this process may have: each call is one, at either end."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def serve_until_stopped(url: str) -> None:
    """What a server program of the bench does once it listens: says so, and waits for its end."""
    stop = asyncio.Event()
    server.stop_on_signals(stop)
    server.stop_on_end_of_stdin(stop)
    sys.stdout.write(f"ready {url}\n")
    sys.stdout.flush()
    await stop.wait()


def python_module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


async def run_for_json(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    limit: timedelta = timedelta(seconds=120),
) -> dict[str, Any]:
    """The JSON object on the last line of stdout of a program that ends by itself.

    Raises RuntimeError with the end of its stderr where it fails.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean_environment(environment or {}),
        cwd=ROOT,
    )
    try:
        out, errors = await asyncio.wait_for(process.communicate(), limit.total_seconds())
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[1:3])}: {errors.decode()[-800:]}")
    return dict(json.loads(out.decode().strip().rpartition("\n")[2]))
