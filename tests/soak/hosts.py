"""Function hosts that are killed and started again on the same port."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.harness.processes import ROOT, START_LIMIT, clean_environment
from local.common.child_process import Child
from local.stack import GRACE_PERIOD
from tests.soak.journal import Journal, Outage
from tests.soak.thread_report import reporting_command

OnLine = Callable[[str, str], None]
"""Gets the name of a host and a line of its log."""


@dataclass
class Host:
    """One host. When it is down is in the journal, under its number. `threads` is the file for its
    thread reports."""

    number: int
    port: int
    environment: Mapping[str, str]
    journal: Journal
    on_line: OnLine
    threads: Path
    child: Child | None = None
    down: Outage | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.process.pid

    async def start(self) -> None:
        arguments = ("--port", str(self.port), "--exit-with-parent", "--without-local-settings")
        self.child = await Child.start(
            f"host {self.number}",
            reporting_command(self.threads, "local.host", *arguments, "--log", "info"),
            environment=clean_environment(self.environment),
            folder=ROOT,
            on_line=self.on_line,
        )
        await self.child.wait_until_ready(START_LIMIT)
        if self.down is not None:
            self.down.until = time.monotonic()

    async def kill(self) -> None:
        """SIGKILL, whatever it is doing."""
        assert self.child is not None
        self.down = self.journal.add_outage(self.number, time.monotonic())
        self.child.process.kill()
        await self.child.stop(GRACE_PERIOD)

    async def stop(self) -> None:
        if self.child is not None:
            await self.child.stop(GRACE_PERIOD)
