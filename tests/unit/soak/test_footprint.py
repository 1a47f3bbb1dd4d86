"""What a soak counts as a leak of a process, and what not."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from bench.harness.processes import ROOT
from tests.soak.footprint import Footprint, peer_of
from tests.soak.thread_report import NoReport, idle_threads, reporting_command, request_report


def test_a_leak_is_named_by_what_it_connects_to() -> None:
    before = Footprint(10, {"known": 1}, 2, {"storage": 3})
    assert Footprint(12, {"known": 90}, 2, {"storage": 4}).excess(before) == []
    found = Footprint(20, {"new": 1}, 2, {"storage": 79, "others": 30}).excess(before)
    assert found == [
        "threads: 10, now 20",
        "pool new: 0, now 1",
        "sockets to storage: 3, now 79",
        "sockets to others: 0, now 30",
    ]
    ports = {80: "storage", 90: "host 1"}
    assert peer_of((5000, 80, "01"), ports) == "storage"
    assert peer_of((90, 5000, "01"), ports) == "clients of host 1"
    assert peer_of((90, 0, "0A"), ports) == "listening"
    assert peer_of(None, ports) == "no TCP"


def test_idle_threads_of_a_pool_are_told_apart() -> None:
    over = threading.Event()
    begun = [threading.Event(), threading.Event()]

    def work(number: int) -> None:
        begun[number].set()
        over.wait()

    with ThreadPoolExecutor(2, thread_name_prefix="counted") as pool:
        together = threading.Barrier(3)
        pool.submit(together.wait)
        pool.submit(together.wait)
        together.wait()
        try:
            pool.submit(work, 0)
            begun[0].wait()
            for _ in range(1000):
                # The other one is done, but may not be back in its pool yet.
                if idle_threads()["counted"]:
                    break
                over.wait(0.01)
            assert idle_threads()["counted"] == 1
            pool.submit(work, 1)
            begun[1].wait()
            assert dict(idle_threads())["counted"] == 0, "all its threads are busy"
        finally:
            over.set()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGUSR1")
def test_a_process_reports_its_threads(tmp_path: Path) -> None:
    file = tmp_path / "threads.json"
    command = reporting_command(file, "tests.unit.soak.idle_child")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        try:
            assert request_report(process.pid, file, timedelta(seconds=20)) == {"pool": 1}
            with pytest.raises(NoReport):
                request_report(process.pid, file.with_name("elsewhere"), timedelta(0))
        finally:
            process.stdin.close()
