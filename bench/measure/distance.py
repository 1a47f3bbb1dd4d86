"""A stretch of network: the endpoint in a network namespace, a set round trip away.

    python -m bench.measure.distance --one-way 0.01 --far broker-bench

As a program it is the stretch itself: two TUN devices, one here and one in the namespace `--far`,
and every packet between them handed over `--one-way` seconds late, so that handshakes pay for the
distance as requests do. Needs root, iproute2 and /dev/net/tun; `missing` says what is not there.
Timers of the event loop are true to a millisecond, so the round trip is measured too, not assumed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

from bench.harness.processes import module, server
from local.common import server as serving

NAMESPACE = "broker-bench"
HERE, THERE = "10.201.77.1", "10.201.77.2"
DEVICES = ("bench-here", "bench-there")
TUN = Path("/dev/net/tun")
# linux/if_tun.h: TUNSETIFF; IFF_TUN | IFF_NO_PI.
SET_INTERFACE, PLAIN_PACKETS = 0x400454CA, 0x1001
LARGEST_PACKET = 65_536


@dataclass(frozen=True, slots=True)
class Distance:
    """A namespace that is `round_trip` away (as asked for). `address` is the far side's."""

    round_trip: timedelta
    address: str = THERE
    namespace: str = NAMESPACE

    def there(self, command: Sequence[str]) -> tuple[str, ...]:
        """`command`, to be run on the far side."""
        return ("ip", "netns", "exec", self.namespace, *command)


def missing() -> str:
    """Why there can be no distance on this machine; "" where there can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "a network namespace needs root"
    if shutil.which("ip") is None:
        return "ip is not installed (Debian: apt-get install iproute2)"
    return "" if TUN.exists() else f"there is no {TUN}"


@asynccontextmanager
async def distant(round_trip: timedelta) -> AsyncIterator[Distance]:
    """The far side, while it lasts; afterwards nothing is left of it."""
    ip("netns", "del", NAMESPACE, check=False)  # of a run that was killed
    ip("netns", "add", NAMESPACE)
    try:
        one_way = str(round_trip.total_seconds() / 2)
        command = module("bench.measure.distance", "--one-way", one_way, "--far", NAMESPACE)
        async with server("distance", command):
            yield Distance(round_trip)
    finally:
        ip("netns", "del", NAMESPACE, check=False)


def measured_round_trip(port: int, times: int = 5) -> timedelta:
    """How long it takes to connect to a port of the far side: one round trip, a median."""
    took: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        with socket.create_connection((THERE, port), timeout=5):
            took.append(time.perf_counter() - began)
    return timedelta(seconds=median(took))


def ip(*words: str, check: bool = True) -> None:
    subprocess.run(("ip", *words), check=check, capture_output=not check)


def open_device(name: str) -> int:
    """A new TUN device's file; the device goes when the file is closed."""
    import fcntl  # not on Windows, where there are no such devices either

    file = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, SET_INTERFACE, struct.pack("16sH", name.encode(), PLAIN_PACKETS))
    return file


class Stretch:
    """One direction: packets read from `source` are written to `sink`, in order, `late` seconds
    later. What the sink does not take is lost, as on a network."""

    def __init__(self, source: int, sink: int, late: float) -> None:
        self.source, self.sink, self.late = source, sink, late
        self.loop = asyncio.get_running_loop()
        self.under_way: deque[tuple[float, bytes]] = deque()
        self.loop.add_reader(source, self.take)

    def take(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = os.read(self.source, LARGEST_PACKET)
                self.under_way.append((self.loop.time() + self.late, packet))
                if len(self.under_way) == 1:
                    self.loop.call_at(self.under_way[0][0], self.hand_over)

    def hand_over(self) -> None:
        now = self.loop.time()
        while self.under_way and self.under_way[0][0] <= now:
            with contextlib.suppress(OSError):
                os.write(self.sink, self.under_way.popleft()[1])
        if self.under_way:
            self.loop.call_at(self.under_way[0][0], self.hand_over)


async def stretch(one_way: float, far: str) -> None:
    here, there = DEVICES
    files = [open_device(name) for name in DEVICES]
    ip("link", "set", there, "netns", far)
    ip("addr", "add", HERE, "peer", THERE, "dev", here)
    ip("link", "set", here, "up")
    ip("-n", far, "addr", "add", THERE, "peer", HERE, "dev", there)
    ip("-n", far, "link", "set", there, "up")
    ip("-n", far, "link", "set", "lo", "up")
    for source, sink in (files, reversed(files)):
        Stretch(source, sink, one_way)
    stop = asyncio.Event()
    serving.stop_on_signals(stop)
    serving.stop_on_end_of_stdin(stop)
    sys.stdout.write(f"ready {THERE}\n")
    sys.stdout.flush()
    await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.measure.distance", description=__doc__)
    parser.add_argument("--one-way", type=float, required=True, help="seconds")
    parser.add_argument("--far", default=NAMESPACE, help="a namespace (%(default)s)")
    options = parser.parse_args(arguments)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(stretch(options.one_way, options.far))
    return 0


if __name__ == "__main__":
    serving.finish(main())
