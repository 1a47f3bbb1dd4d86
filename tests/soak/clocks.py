"""Wrong clocks: a process's wall clock is shifted by a small library, `clock.c`, which is compiled
where there is a C compiler, and preloaded (Linux)."""

from __future__ import annotations

import asyncio
import shutil
import sys
from datetime import timedelta
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")


async def compile_library(folder: Path) -> Path | None:
    """The library, built in `folder`; None where it cannot be built."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        return None
    library = folder / "clock.so"
    options = ("-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl")
    process = await asyncio.create_subprocess_exec(
        compiler,
        *options,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return library if await process.wait() == 0 else None


def shifted_clock(ahead: timedelta, library: Path | None) -> dict[str, str]:
    """The environment of a process whose clock is `ahead`."""
    if library is None:
        return {}
    return {"LD_PRELOAD": str(library), "SOAK_CLOCK_AHEAD": f"{ahead.total_seconds():.0f}"}
