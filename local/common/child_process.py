"""Child processes that say when they are ready, are heard, and do not outlive their parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

LAST_LINES = 20
GRACE_PERIOD = timedelta(seconds=1.5)
MAX_LINE_BYTES = 1024 * 1024

OnLine = Callable[[str, str], None]
"""Gets (name of the child, one line of its stderr)."""


class ChildEnded(Exception):
    """A child is gone that should be there. `lines` are the last it wrote."""

    def __init__(self, name: str, code: int, lines: Sequence[str]) -> None:
        super().__init__(f"{name} ended with exit code {code}")
        self.name = name
        self.code = code
        self.lines = tuple(lines)


class Child:
    """One server program. It must print `ready URL` and end at the end of its stdin."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, on_line: OnLine) -> None:
        self.name = name
        self.process = process
        self.lines: deque[str] = deque(maxlen=LAST_LINES)
        self.on_line = on_line
        self.url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.tasks = [
            asyncio.create_task(self.read_stdout()),
            asyncio.create_task(self.read_stderr()),
        ]
        self.exit = asyncio.create_task(self.wait_for_exit())

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        on_line: OnLine,
    ) -> Child:
        """Starts `command` in a process group of its own: a Ctrl-C is for the parent, which ends
        its children in its own time."""
        group = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(environment),
            cwd=folder,
            limit=MAX_LINE_BYTES,
            start_new_session=True,
            creationflags=group,
        )
        return cls(name, process, on_line)

    async def wait_until_ready(self, limit: timedelta) -> str:
        """The URL that the child serves. Raises ChildEnded and TimeoutError."""
        either: list[asyncio.Future[Any]] = [self.url, self.exit]
        await asyncio.wait(
            either, timeout=limit.total_seconds(), return_when=asyncio.FIRST_COMPLETED
        )
        if self.url.done():
            return self.url.result()
        if self.exit.done():
            raise await self.wait_for_end()
        raise TimeoutError(f"{self.name} is not ready after {limit.total_seconds():g} s")

    async def wait_for_end(self) -> ChildEnded:
        """Waits for the child's end, whatever the reason."""
        code = await asyncio.shield(self.exit)
        return ChildEnded(self.name, code, list(self.lines))

    async def stop(self) -> None:
        """Ends the child: asks by closing its stdin, then insists. Safe to repeat."""
        if self.process.stdin:
            self.process.stdin.close()
        if not self.exit.done():
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.exit), GRACE_PERIOD.total_seconds())
        self.kill_group()
        await self.exit
        self.url.cancel()

    def kill_group(self) -> None:
        """The whole group: a child may have children, and they may hold its port."""
        if sys.platform == "win32":
            with suppress(ProcessLookupError):
                self.process.kill()
        else:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def wait_for_exit(self) -> int:
        code = await self.process.wait()
        # What it said last is still in the pipes; a grandchild may hold them open for ever.
        await asyncio.wait(self.tasks, timeout=GRACE_PERIOD.total_seconds())
        for task in self.tasks:
            task.cancel()
        return code

    async def read_stdout(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            text = line.decode(errors="replace").rstrip()
            if text.startswith("ready ") and not self.url.done():
                self.url.set_result(text.removeprefix("ready ").strip())
            else:
                self.pass_on(text)

    async def read_stderr(self) -> None:
        assert self.process.stderr
        async for line in self.process.stderr:
            self.pass_on(line.decode(errors="replace").rstrip())

    def pass_on(self, text: str) -> None:
        self.lines.append(text)
        self.on_line(self.name, text)
