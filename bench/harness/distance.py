"""Network distance: the endpoint in a network namespace, a set round trip away.

    python -m bench.harness.distance --one-way 0.01 --namespace broker-bench

As a program it is the link itself: two TUN devices, one here and one in the namespace, and every
packet between them forwarded `--one-way` seconds late, so that handshakes pay for the distance as
requests do. Needs root, iproute2 and /dev/net/tun; `unavailable` says what is missing. The timers
of the event loop are accurate to a millisecond, so the round trip is measured too, not assumed.
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
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

from bench.harness.processes import python_module, running_server, serve_until_stopped
from realtime_emulator.serving import server

ROUND_TRIP = timedelta(milliseconds=20)
NAMESPACE = "broker-bench"
NEAR, FAR = "10.201.77.1", "10.201.77.2"
DEVICES = ("bench-near", "bench-far")
TUN = Path("/dev/net/tun")
# linux/if_tun.h: TUNSETIFF; IFF_TUN | IFF_NO_PI.
SET_INTERFACE, PLAIN_PACKETS = 0x400454CA, 0x1001
MAX_PACKET_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Distance:
    """A network namespace at a distance. `address` is that of its end of the link."""

    address: str = FAR
    namespace: str = NAMESPACE

    def far_command(self, command: Sequence[str]) -> tuple[str, ...]:
        """`command`, to be run at the far end."""
        return ("ip", "netns", "exec", self.namespace, *command)


def unavailable() -> str:
    """Why this machine cannot simulate distance; "" where it can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "a network namespace needs root"
    if shutil.which("ip") is None:
        return "ip is not installed (Debian: apt-get install iproute2)"
    return "" if TUN.exists() else f"there is no {TUN}"


@asynccontextmanager
async def distant(round_trip: timedelta) -> AsyncIterator[Distance]:
    """The far end, `round_trip` away; removed afterwards."""
    ip("netns", "del", NAMESPACE, check=False)  # left by a run that was killed
    ip("netns", "add", NAMESPACE)
    try:
        one_way = str(round_trip.total_seconds() / 2)
        arguments = ("--one-way", one_way, "--namespace", NAMESPACE)
        async with running_server("distance", python_module("bench.harness.distance", *arguments)):
            yield Distance()
    finally:
        ip("netns", "del", NAMESPACE, check=False)


def measure_round_trip(port: int, times: int = 5) -> timedelta:
    """How long it takes to connect to a port at the far end, one round trip; a median."""
    took: list[float] = []
    for _ in range(times):
        start = time.perf_counter()
        with socket.create_connection((FAR, port), timeout=5):
            took.append(time.perf_counter() - start)
    return timedelta(seconds=median(took))


def ip(*words: str, check: bool = True) -> None:
    subprocess.run(("ip", *words), check=check, capture_output=not check)


def open_device(name: str) -> int:
    """The file descriptor of a new TUN device, which is removed when it is closed."""
    import fcntl  # Linux only, as are TUN devices

    file = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, SET_INTERFACE, struct.pack("16sH", name.encode(), PLAIN_PACKETS))
    return file


class DelayedForwarding:
    """One direction of the link: packets read from `source` are written to `sink` in order, `delay`
    seconds later. What the sink does not take is lost, as on a network."""

    def __init__(self, source: int, sink: int, delay: float) -> None:
        self.source, self.sink, self.delay = source, sink, delay
        self.loop = asyncio.get_running_loop()
        self.in_flight: deque[tuple[float, bytes]] = deque()
        self.loop.add_reader(source, self.read_packets)

    def read_packets(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = os.read(self.source, MAX_PACKET_BYTES)
                self.in_flight.append((self.loop.time() + self.delay, packet))
                if len(self.in_flight) == 1:
                    self.loop.call_at(self.in_flight[0][0], self.write_packets)

    def write_packets(self) -> None:
        now = self.loop.time()
        while self.in_flight and self.in_flight[0][0] <= now:
            with contextlib.suppress(OSError):
                os.write(self.sink, self.in_flight.popleft()[1])
        if self.in_flight:
            self.loop.call_at(self.in_flight[0][0], self.write_packets)


async def run_link(one_way: float, namespace: str) -> None:
    near, far = DEVICES
    files = [open_device(name) for name in DEVICES]
    ip("link", "set", far, "netns", namespace)
    ip("addr", "add", NEAR, "peer", FAR, "dev", near)
    ip("link", "set", near, "up")
    ip("-n", namespace, "addr", "add", FAR, "peer", NEAR, "dev", far)
    ip("-n", namespace, "link", "set", far, "up")
    ip("-n", namespace, "link", "set", "lo", "up")
    for source, sink in (files, reversed(files)):
        DelayedForwarding(source, sink, one_way)
    await serve_until_stopped(FAR)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.harness.distance", description=__doc__)
    parser.add_argument("--one-way", type=float, required=True, help="seconds")
    parser.add_argument("--namespace", default=NAMESPACE, help="(%(default)s)")
    options = parser.parse_args(arguments)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run_link(options.one_way, options.namespace))
    return 0


if __name__ == "__main__":
    server.finish(main())
