"""What a process holds: threads, files, and sockets by what they connect to. Read from /proc, so
there is nothing to compare where there is none."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.harness.processes import PROC, process_tree
from tests.soak.thread_report import request_report

SPARE = 24
"""How many more files, or connections to one server, a process may hold than when it was warm:
kept-alive ones come with the busiest moment, which is never the same. A leak for each call or each
request would be hundreds."""
SPARE_THREADS = 8
"""How many more threads: idle threads of pools do not count, so what is left to differ is how many
queues are being read at the moment."""
REPORT_LIMIT = timedelta(seconds=20)
POOLS = {"storage": 3}
"""Blobs, queues and tables are three hosts, each with kept-alive connections of its own."""
LATE_POOLS = frozenset({"background", "dialling", "ending"})
"""Pools that a host may not have needed by the time that it is warm (shared/broker.py)."""
RESET = "no TCP"
STORAGE_USERS = frozenset({"storage", "the vault", "the identity endpoint"})
"""Only hosts have connections to these."""
LISTENING = "0A"


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process and its children hold: threads without the idle ones of pools, and those by
    the name of the pool."""

    threads: int = 0
    idle: Mapping[str, int] = field(default_factory=dict)
    files: int = 0
    sockets: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def excess(self, before: Footprint) -> list[str]:
        """What it has more of than `before` and what is spare. A pool may have any number of idle
        threads, up to its own limit; but there may be no new pool."""
        pairs = [
            ("threads", before.threads, self.threads, SPARE_THREADS),
            ("files", before.files, self.files, SPARE),
            *(
                (f"pool {name}", 0, number, 0)
                for name, number in self.idle.items()
                if name not in before.idle and name not in LATE_POOLS
            ),
        ]
        held, warm = with_reset_ones(self.sockets), with_reset_ones(before.sockets)
        pairs += [
            (f"sockets to {name}", warm.get(name, 0), number, SPARE * POOLS.get(name, 1))
            for name, number in held.items()
        ]
        return [f"{name}: {was}, now {now}" for name, was, now, spare in pairs if now > was + spare]


def with_reset_ones(sockets: Mapping[str, int]) -> Mapping[str, int]:
    """A kept-alive connection to storage that was reset while it was idle is no TCP any more, and
    stays in its pool until it is its turn: it counts as the connection that it was."""
    if not STORAGE_USERS & sockets.keys():
        return sockets
    rest = {name: number for name, number in sockets.items() if name != RESET}
    return {**rest, "storage": sockets.get("storage", 0) + sockets.get(RESET, 0)}


def footprints(
    processes: Mapping[str, tuple[int, Path]], ports: Mapping[int, str]
) -> dict[str, Footprint]:
    """Of each by its name, given its process id and the file for its thread reports; empty where
    there is no /proc. Blocks. Raises NoReport and OSError."""
    if not PROC.is_dir():
        return {}
    return {
        name: footprint(pid, ports, request_report(pid, file, REPORT_LIMIT))
        for name, (pid, file) in processes.items()
    }


def footprint(pid: int, ports: Mapping[int, str], idle: Mapping[str, int]) -> Footprint:
    """Of that process and its children; `ports` says what listens where on this machine, `idle` how
    many threads are idle."""
    threads, files = 0, 0
    sockets: Counter[str] = Counter()
    for each in process_tree(pid):
        held = descriptors(each)
        try:
            threads += len(list((PROC / str(each) / "task").iterdir()))
            ends = connections(each)
        except OSError:
            # A child that has ended meanwhile.
            continue
        for name in held:
            if name.startswith("socket:["):
                sockets[peer_of(ends.get(name[8:-1]), ports)] += 1
            elif name.startswith("/"):
                files += 1
    busy = threads - sum(idle.values())
    return Footprint(busy, dict(sorted(idle.items())), files, dict(sorted(sockets.items())))


def descriptors(pid: int) -> list[str]:
    """What its file descriptors refer to."""
    found = []
    with suppress(OSError):
        for descriptor in (PROC / str(pid) / "fd").iterdir():
            # It may have been closed since the folder was read.
            with suppress(OSError):
                found.append(str(descriptor.readlink()))
    return found


def connections(pid: int) -> dict[str, tuple[int, int, str]]:
    """TCP by inode: own port, other port, state."""
    found = {}
    for name in ("tcp", "tcp6"):
        for line in (PROC / str(pid) / "net" / name).read_text().splitlines()[1:]:
            fields = line.split()
            own, other = (int(end.rpartition(":")[2], 16) for end in fields[1:3])
            found[fields[9]] = (own, other, fields[3])
    return found


def peer_of(end: tuple[int, int, str] | None, ports: Mapping[int, str]) -> str:
    """What a socket connects to."""
    if end is None:
        return RESET
    own, other, state = end
    if state == LISTENING:
        return "listening"
    return ports.get(other) or (f"clients of {ports[own]}" if own in ports else "others")


def is_listening(port: int) -> bool:
    """Whether anything on this machine accepts connections there."""
    with socket.socket() as trying:
        trying.settimeout(0.2)
        return trying.connect_ex(("127.0.0.1", port)) == 0
