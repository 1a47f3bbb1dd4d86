"""Worker processes: answers, crashes, and that none outlives its parent."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from realtime_emulator.speech.worker import TIME_LIMIT, Worker, WorkerFailed
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[3]


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker("tests.contract.media.fickle")
    yield worker
    worker.close()


async def test_one_process_answers_all_questions(worker: Worker) -> None:
    answers = await asyncio.gather(*(worker.ask({}, bytes([n, n + 1])) for n in range(5)))
    assert len({answer["pid"] for answer, _ in answers}) == 1
    assert [blob for _, blob in answers] == [bytes([n + 1, n]) for n in range(5)]


async def test_much_data_goes_both_ways(worker: Worker) -> None:
    blob = bytes(range(256)) * 20_000
    assert (await worker.ask({}, blob))[1] == blob[::-1]


async def test_a_worker_that_dies_is_replaced(worker: Worker) -> None:
    first, _ = await worker.ask({})
    with pytest.raises(WorkerFailed):
        await worker.ask({"die": True})
    second, _ = await worker.ask({})
    assert first["pid"] != second["pid"]


async def test_giving_up_on_an_answer_leaves_the_next_one_right(worker: Worker) -> None:
    given_up = asyncio.ensure_future(worker.ask({}, b"ab"))
    await asyncio.sleep(0)
    given_up.cancel()
    assert (await worker.ask({}, b"cd"))[1] == b"dc"


async def test_a_question_given_up_before_its_turn_is_not_asked(worker: Worker) -> None:
    asked = [asyncio.ensure_future(worker.ask({})) for _ in range(3)]
    await asyncio.sleep(0)  # all are queued while the worker is still starting
    asked[1].cancel()
    assert (await asked[0])[0]["asked"] == 1
    assert (await asked[2])[0]["asked"] == 2


async def test_a_request_that_takes_too_long_fails_and_the_next_is_answered(
    worker: Worker,
) -> None:
    await worker.ask({})
    usual, worker.thread.time_limit = worker.thread.time_limit, timedelta(milliseconds=100)
    with pytest.raises(WorkerFailed, match="too long"):
        await worker.ask({"sleep": 600})
    worker.thread.time_limit = usual
    assert (await worker.ask({}, b"ab"))[1] == b"ba"


@pytest.mark.parametrize("order", ["the other waits already", "the other comes later"])
async def test_a_request_that_was_given_up_holds_up_no_other(worker: Worker, order: str) -> None:
    given_up = asyncio.ensure_future(worker.ask({"sleep": 600}))
    while worker.thread.current is None:  # noqa: ASYNC110  (another thread's)
        await asyncio.sleep(0.01)
    if order == "the other comes later":
        given_up.cancel()
        await asyncio.sleep(0)
    other = asyncio.ensure_future(worker.ask({}, b"ab"))
    await asyncio.sleep(0)
    given_up.cancel()
    async with asyncio.timeout(PATIENCE):
        assert (await other)[1] == b"ba"


async def test_a_request_that_is_given_up_while_the_worker_starts_holds_up_no_other(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, given_up_by_now = subprocess.Popen, threading.Event()

    def start_late(*command: Any, **options: Any) -> subprocess.Popen[bytes]:
        assert given_up_by_now.wait(PATIENCE)
        return start(*command, **options)

    monkeypatch.setattr(subprocess, "Popen", start_late)
    given_up = asyncio.ensure_future(worker.ask({"sleep": 600}))
    while worker.thread.current is None:  # noqa: ASYNC110  (another thread's)
        await asyncio.sleep(0.01)
    other = asyncio.ensure_future(worker.ask({}, b"ab"))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait([given_up])
    given_up_by_now.set()
    async with asyncio.timeout(TIME_LIMIT.total_seconds() / 2):
        assert (await other)[1] == b"ba"


async def test_a_closed_worker_answers_no_more(worker: Worker) -> None:
    await worker.ask({})
    worker.close()
    worker.close()
    with pytest.raises(WorkerFailed):
        await worker.ask({})


def test_a_worker_serves_one_event_loop_after_another(worker: Worker) -> None:
    async def pid() -> int:
        return int((await worker.ask({}))[0]["pid"])

    assert asyncio.run(pid()) == asyncio.run(pid())


PARENT = """
    import asyncio, sys
    from realtime_emulator.speech.worker import Worker

    async def main():
        worker = Worker("tests.contract.media.fickle")
        await worker.ask({})
        print("asked", flush=True)
        END

    asyncio.run(main())
"""


@pytest.mark.parametrize(
    "end",
    [
        "await asyncio.sleep(60)",
        "return",
        "raise SystemExit",
        "del worker; import gc; gc.collect(); return",
    ],
)
def test_no_worker_outlives_its_parent(end: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT).replace("END", end)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        assert parent.stdout.readline().strip() == b"asked"
        if "sleep" in end:
            parent.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        # The worker holds the other end of this pipe for as long as it lives.
        assert parent.stderr.read() == b""


async def test_a_forgotten_worker_is_closed() -> None:
    worker = Worker("tests.contract.media.fickle")
    await worker.ask({})
    close = worker.close
    assert close.alive
    del worker
    gc.collect()
    assert not close.alive
