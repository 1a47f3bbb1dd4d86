"""What a process holds: threads, files, sockets by whom they lead to. Read from /proc, so that
elsewhere than on Linux there is nothing to compare."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from bench.processes import PROC, tree

SPARE = 24
"""So much more than when it was freshly warm may a process hold of anything: threads and kept
connections come with the busiest moment, and that is never the same. What is left over from each
call, or each request, is hundreds."""
POOLS = {"storage": 3}
"""Blobs, queues and tables are three hosts, each with kept connections of its own."""
LISTENING = "0A"


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process and its children hold."""

    threads: int = 0
    files: int = 0
    sockets: Mapping[str, int] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        return {"threads": self.threads, "files": self.files, "sockets": dict(self.sockets)}

    def beyond(self, before: Footprint, spare: int = SPARE) -> list[str]:
        """What it has more of than `before`, and than can be spared."""
        pairs = [
            ("threads", before.threads, self.threads, spare),
            ("files", before.files, self.files, spare),
        ]
        pairs += [
            (f"sockets to {name}", before.sockets.get(name, 0), number, spare * POOLS.get(name, 1))
            for name, number in self.sockets.items()
        ]
        return [f"{name}: {was}, now {now}" for name, was, now, more in pairs if now > was + more]


def footprint(pid: int, ports: Mapping[int, str]) -> Footprint:
    """Of that process and its children; `ports` says who listens where on this machine."""
    threads, files = 0, 0
    sockets: Counter[str] = Counter()
    for each in tree(pid):
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
    return Footprint(threads, files, dict(sorted(sockets.items())))


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
