"""Clocks that are wrong: a process's wall clock is shifted by a small library, `clock.c`, which is
compiled where there is a C compiler and loaded before all others (Linux)."""

from __future__ import annotations

import asyncio
import shutil
import sys
from datetime import timedelta
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")


async def library(folder: Path) -> Path | None:
    """The library, made in `folder`; None where it cannot be made."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        return None
    made = folder / "clock.so"
    options = ("-shared", "-fPIC", "-O1", "-o", str(made), str(SOURCE), "-ldl")
    process = await asyncio.create_subprocess_exec(
        compiler,
        *options,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return made if await process.wait() == 0 else None


def shifted(ahead: timedelta, made: Path | None) -> dict[str, str]:
    """What makes a process's clock go `ahead`, for its environment."""
    if made is None:
        return {}
    return {"LD_PRELOAD": str(made), "SOAK_CLOCK_AHEAD": f"{ahead.total_seconds():.0f}"}
