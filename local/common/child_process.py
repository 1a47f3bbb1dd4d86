"""Child processes that report readiness, whose output is read, and that end with their parent."""

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
LAST_OUTPUT = timedelta(seconds=1.5)
MAX_LINE_BYTES = 1024 * 1024

OnLine = Callable[[str, str], None]
"""Called with the child's name and a line of its output, except for its `ready` line."""


class ChildEnded(Exception):
    """A child has exited. `lines` are the last lines of its output."""

    def __init__(self, name: str, code: int, lines: Sequence[str]) -> None:
        super().__init__(f"{name} ended with exit code {code}")
        self.name = name
        self.code = code
        self.lines = tuple(lines)


class Child:
    """A server program. It must print `ready URL`, and exit when its stdin ends."""

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
        """Starts `command` in its own process group, so that only the parent receives Ctrl-C."""
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
        """Waits for the URL that the child serves. Raises ChildEnded or TimeoutError."""
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
        """Waits until the child has exited, for whatever reason."""
        code = await asyncio.shield(self.exit)
        return ChildEnded(self.name, code, list(self.lines))

    async def stop(self, grace: timedelta) -> None:
        """Stops the child: closes its stdin and, after `grace`, kills its process group. Safe to
        repeat."""
        if self.process.stdin:
            self.process.stdin.close()
        if not self.exit.done():
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.exit), grace.total_seconds())
        self.kill_group()
        await self.exit
        self.url.cancel()

    def kill_group(self) -> None:
        """Kills the whole group, because the child's own children may hold its port."""
        if sys.platform == "win32":
            with suppress(ProcessLookupError):
                self.process.kill()
        else:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def wait_for_exit(self) -> int:
        code = await self.process.wait()
        # Its last output is still in the pipes. A grandchild may keep them open, hence the timeout.
        await asyncio.wait(self.tasks, timeout=LAST_OUTPUT.total_seconds())
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
