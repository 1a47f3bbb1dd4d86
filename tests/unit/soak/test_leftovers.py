"""What a soak takes for left over in a process, and what not."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from bench.harness.processes import ROOT
from tests.soak.leftovers import Footprint, leads_to
from tests.soak.thread_report import Silent, resting, resting_in, telling


def test_what_is_left_is_told_by_whom_it_leads_to() -> None:
    before = Footprint(10, {"known": 1}, 2, {"storage": 3})
    assert Footprint(12, {"known": 90}, 2, {"storage": 4}).beyond(before) == []
    found = Footprint(20, {"new": 1}, 2, {"storage": 79, "others": 30}).beyond(before)
    assert found == [
        "threads: 10, now 20",
        "pool new: 0, now 1",
        "sockets to storage: 3, now 79",
        "sockets to others: 0, now 30",
    ]
    ports = {80: "storage", 90: "host 1"}
    assert leads_to((5000, 80, "01"), ports) == "storage"
    assert leads_to((90, 5000, "01"), ports) == "callers of host 1"
    assert leads_to((90, 0, "0A"), ports) == "listen"
    assert leads_to(None, ports) == "no TCP"


def test_threads_that_rest_in_a_pool_are_told_apart() -> None:
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
                # The other has been let go, but need not have come back to its pool yet.
                if resting()["counted"]:
                    break
                over.wait(0.01)
            assert resting()["counted"] == 1
            pool.submit(work, 1)
            begun[1].wait()
            assert dict(resting())["counted"] == 0, "it is there, and all at work"
        finally:
            over.set()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGUSR1")
def test_a_process_tells_of_its_threads(tmp_path: Path) -> None:
    file = tmp_path / "threads.json"
    command = telling(file, "tests.support.resting_child")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        try:
            assert resting_in(process.pid, file, timedelta(seconds=20)) == {"pool": 1}
            with pytest.raises(Silent):
                resting_in(process.pid, file.with_name("elsewhere"), timedelta(0))
        finally:
            process.stdin.close()
