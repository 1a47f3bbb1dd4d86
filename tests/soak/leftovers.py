"""What a process holds: threads, files, sockets by whom they lead to. Read from /proc, so that
elsewhere than on Linux there is nothing to compare."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.harness.processes import PROC, process_tree
from tests.soak.thread_report import resting_in

SPARE = 24
"""So many more than when it was freshly warm may a process hold of files and of connections to one
server: kept ones come with the busiest moment, and that is never the same. What is left over from
each call, or each request, is hundreds."""
AT_WORK = 8
"""So many more threads: of those that rest in a pool none count, so what is left to differ is how
many queues are being read just now."""
TELL = timedelta(seconds=20)
POOLS = {"storage": 3}
"""Blobs, queues and tables are three hosts, each with kept connections of its own."""
LISTENING = "0A"


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process and its children hold: threads but for those that rest in a pool, and these
    by the name of the pool."""

    threads: int = 0
    resting: Mapping[str, int] = field(default_factory=dict)
    files: int = 0
    sockets: Mapping[str, int] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        return {
            "threads": self.threads,
            "resting": dict(self.resting),
            "files": self.files,
            "sockets": dict(self.sockets),
        }

    def beyond(self, before: Footprint) -> list[str]:
        """What it has more of than `before`, and than can be spared. A pool may have any number of
        threads that rest, up to its own limit; but there may be no pool more."""
        pairs = [
            ("threads", before.threads, self.threads, AT_WORK),
            ("files", before.files, self.files, SPARE),
            *(
                (f"pool {name}", 0, number, 0)
                for name, number in self.resting.items()
                if name not in before.resting
            ),
        ]
        pairs += [
            (f"sockets to {name}", before.sockets.get(name, 0), number, SPARE * POOLS.get(name, 1))
            for name, number in self.sockets.items()
        ]
        return [f"{name}: {was}, now {now}" for name, was, now, more in pairs if now > was + more]


def footprints(
    telling: Mapping[str, tuple[int, Path]], ports: Mapping[int, str]
) -> dict[str, Footprint]:
    """Of each by its name, given its process and the file in which it tells of its threads;
    nothing where there is no /proc. Blocks. Raises Silent and OSError."""
    if not PROC.is_dir():
        return {}
    return {
        name: footprint(pid, ports, resting_in(pid, file, TELL))
        for name, (pid, file) in telling.items()
    }


def footprint(pid: int, ports: Mapping[int, str], resting: Mapping[str, int]) -> Footprint:
    """Of that process and its children; `ports` says who listens where on this machine, `resting`
    how many of the threads rest in a pool."""
    threads, files = 0, 0
    sockets: Counter[str] = Counter()
    for each in process_tree(pid):
        held = handles(each)
        try:
            threads += len(list((PROC / str(each) / "task").iterdir()))
            ends = connections(each)
        except OSError:
            # A child that has ended meanwhile.
            continue
        for name in held:
            if name.startswith("socket:["):
                sockets[leads_to(ends.get(name[8:-1]), ports)] += 1
            elif name.startswith("/"):
                files += 1
    at_work = threads - sum(resting.values())
    return Footprint(at_work, dict(sorted(resting.items())), files, dict(sorted(sockets.items())))


def handles(pid: int) -> list[str]:
    """What its file descriptors stand for."""
    found = []
    with suppress(OSError):
        for descriptor in (PROC / str(pid) / "fd").iterdir():
            # It may be closed between the two looks.
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


def leads_to(end: tuple[int, int, str] | None, ports: Mapping[int, str]) -> str:
    if end is None:
        return "no TCP"
    own, other, state = end
    if state == LISTENING:
        return "listen"
    return ports.get(other) or (f"callers of {ports[own]}" if own in ports else "others")


def listens(port: int) -> bool:
    """Whether anything on this machine takes connections there."""
    with socket.socket() as trying:
        trying.settimeout(0.2)
        return trying.connect_ex(("127.0.0.1", port)) == 0
