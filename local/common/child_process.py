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
POLITE = timedelta(seconds=1.5)
LONGEST_LINE = 1024 * 1024

Hear = Callable[[str, str], None]
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

    def __init__(self, name: str, process: asyncio.subprocess.Process, hear: Hear) -> None:
        self.name = name
        self.process = process
        self.lines: deque[str] = deque(maxlen=LAST_LINES)
        self._hear = hear
        self._url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks = [
            asyncio.create_task(self._read_stdout()),
            asyncio.create_task(self._read_stderr()),
        ]
        self._ended = asyncio.create_task(self._wait())

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        hear: Hear,
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
            limit=LONGEST_LINE,
            start_new_session=True,
            creationflags=group,
        )
        return cls(name, process, hear)

    async def ready(self, limit: timedelta) -> str:
        """The URL that the child serves. Raises ChildEnded and TimeoutError."""
        either: list[asyncio.Future[Any]] = [self._url, self._ended]
        await asyncio.wait(
            either, timeout=limit.total_seconds(), return_when=asyncio.FIRST_COMPLETED
        )
        if self._url.done():
            return self._url.result()
        if self._ended.done():
            raise await self.ended()
        raise TimeoutError(f"{self.name} is not ready after {limit.total_seconds():g} s")

    async def ended(self) -> ChildEnded:
        """Waits for the child's end, whatever the reason."""
        code = await asyncio.shield(self._ended)
        return ChildEnded(self.name, code, list(self.lines))

    async def stop(self) -> None:
        """Ends the child: asks by closing its stdin, then insists. Safe to repeat."""
        if self.process.stdin:
            self.process.stdin.close()
        if not self._ended.done():
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._ended), POLITE.total_seconds())
        self._kill_what_is_left()
        await self._ended
        self._url.cancel()

    def _kill_what_is_left(self) -> None:
        """The whole group: a child may have children, and they may hold its port."""
        if sys.platform == "win32":
            with suppress(ProcessLookupError):
                self.process.kill()
        else:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def _wait(self) -> int:
        code = await self.process.wait()
        # What it said last is still in the pipes; a grandchild may hold them open for ever.
        await asyncio.wait(self._tasks, timeout=POLITE.total_seconds())
        for task in self._tasks:
            task.cancel()
        return code

    async def _read_stdout(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            text = line.decode(errors="replace").rstrip()
            if text.startswith("ready ") and not self._url.done():
                self._url.set_result(text.removeprefix("ready ").strip())
            else:
                self._heard(text)

    async def _read_stderr(self) -> None:
        assert self.process.stderr
        async for line in self.process.stderr:
            self._heard(line.decode(errors="replace").rstrip())

    def _heard(self, text: str) -> None:
        self.lines.append(text)
        self._hear(self.name, text)
