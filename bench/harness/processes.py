"""Processes under measurement: started, weighed by /proc, ended for sure.

Their memory (proportional set size, so that what workers share counts once) and processor time are
those of the whole tree. Where there is no /proc both are None.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from local.common.child_process import Child

ROOT = Path(__file__).resolve().parents[2]
PROC = Path("/proc")
START = timedelta(seconds=30)
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class Weight:
    """What a tree of processes has used. `cpu` in seconds since its start, `memory` in MiB."""

    cpu: float | None
    memory: float | None


def tree(root: int) -> list[int]:
    """`root` and all that descend from it."""
    parents: dict[int, int] = {}
    for entry in PROC.glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.parent.name)] = int(fields[1])
    found = [root]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def weigh(root: int) -> Weight:
    """The weight of the tree at `root` now."""
    if not PROC.is_dir():
        return Weight(None, None)
    cpu = memory = 0.0
    for one in tree(root):
        try:
            fields = (PROC / str(one) / "stat").read_text().rpartition(")")[2].split()
            rolled = (PROC / str(one) / "smaps_rollup").read_text()
        except OSError:
            continue
        cpu += (int(fields[11]) + int(fields[12])) / TICKS
        pss = next(line for line in rolled.splitlines() if line.startswith("Pss:"))
        memory += int(pss.split()[1]) / 1024
    return Weight(cpu, memory)


def quiet(*_: str) -> None:
    """For the logs of children: `Child.lines` keeps the last of them."""


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: nothing that would send it anywhere but to the stand-ins."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")
    base = {name: os.environ[name] for name in kept if name in os.environ}
    return {**base, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1,localhost", **more}


@asynccontextmanager
async def server(
    name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[str, Child]]:
    """A server that says `ready URL`; gives its URL and the child."""
    child = await Child.start(
        name,
        command,
        environment=clean_environment(environment or {}),
        folder=ROOT,
        on_line=quiet,
    )
    try:
        yield await child.wait_until_ready(START), child
    finally:
        await child.stop()


def module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


async def told(
    command: Sequence[str], environment: Mapping[str, str] | None = None, *, within: float = 120
) -> str:
    """The last line on stdout of a program that ends by itself. Raises RuntimeError."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean_environment(environment or {}),
        cwd=ROOT,
    )
    try:
        out, errors = await asyncio.wait_for(process.communicate(), within)
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[1:3])}: {errors.decode()[-800:]}")
    return out.decode().strip().rpartition("\n")[2]
