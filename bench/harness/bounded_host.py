"""The app on the local host, with storage in its memory that keeps only the latest rows.

    python -m bench.harness.bounded_host

Records are kept for weeks, in an account: in this process they would be all that grows. A message
that is to come later is not kept at all. So what grows here is the broker or the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from local.host.__main__ import main as run_host
from realtime_emulator.serving import server
from shared.storage import memory
from shared.storage.interfaces import Entity, Write
from shared.storage.memory import MemoryQueue, MemoryStorage, MemoryTable

ROWS = 512
"""Of each table: those of calls that are running, and of some that have ended."""


class LatestRows(MemoryTable):
    """Forgets the oldest rows."""

    def transact(self, writes: Sequence[Write]) -> list[Entity]:
        written = super().transact(writes)
        with self.lock:
            while len(self.rows) > ROWS:
                del self.rows[next(iter(self.rows))]
        return written


class NothingLater(MemoryQueue):
    """Keeps what is to be done now."""

    def send(self, body: str, *, delay: timedelta = timedelta(0), encoded: bool = False) -> None:
        if not delay:
            super().send(body, encoded=encoded)


class BoundedStorage(MemoryStorage):
    """Does not grow with the number of calls."""

    def queue(self, name: str) -> MemoryQueue:
        with self.lock:
            return self.queues.setdefault(name, NothingLater(self.clock))

    def table(self, name: str) -> MemoryTable:
        with self.lock:
            return self.tables.setdefault(name.lower(), LatestRows())


if __name__ == "__main__":
    memory.PROCESS_STORAGE = BoundedStorage()
    options = ("--port", "0", "--exit-with-parent", "--without-local-settings", "--log", "warning")
    server.finish(run_host(options))
