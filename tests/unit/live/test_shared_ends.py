"""Ends of sessions that are slow to close: one for each session, and few at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest

from shared.core.deadline import Deadline
from shared.core.problems import Problem
from shared.live.shared_ends import SIDEBANDS_AT_ONCE, WAITING, WAITING_FOR_ONE, SharedEnds
from shared.upstream.hang_up_reply import HangUpReply
from tests.support.patience import PATIENCE

OVER = HangUpReply(404, closed=True)


def soon() -> Deadline:
    return Deadline.after(timedelta(seconds=PATIENCE))


class SlowEnds:
    """Ends on threads of their own; each session is over once it is let go."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.ends = SharedEnds()
        self.pool = pool
        self.let_go = threading.Event()
        self.begun = threading.Semaphore(0)
        self.ended: list[str] = []
        self.outcome: HangUpReply | Problem = OVER

    def end(self, session: str) -> HangUpReply:
        def work() -> HangUpReply:
            self.ended.append(session)
            self.begun.release()
            assert self.let_go.wait(PATIENCE)
            if isinstance(self.outcome, Problem):
                raise self.outcome
            return self.outcome

        return self.ends.end_once(session, work, soon())

    def begin(self, session: str) -> Future[HangUpReply]:
        future = self.pool.submit(self.end, session)
        assert self.begun.acquire(timeout=PATIENCE)
        return future

    def join(self, session: str, number: int) -> list[Future[HangUpReply]]:
        before = self.ends.waiting[session]
        futures = [self.pool.submit(self.end, session) for _ in range(number)]
        while self.ends.waiting[session] < before + number:
            assert not any(each.done() for each in futures)
        return futures


@contextmanager
def slow_ends() -> Iterator[SlowEnds]:
    with ThreadPoolExecutor(32) as pool:
        slow = SlowEnds(pool)
        try:
            yield slow
        finally:
            slow.let_go.set()


def test_a_session_is_ended_once_and_all_who_ask_know_the_outcome() -> None:
    with slow_ends() as slow:
        asked = [slow.begin("a"), *slow.join("a", WAITING_FOR_ONE)]
        slow.let_go.set()
        assert [each.result(PATIENCE) for each in asked] == [OVER] * len(asked)
        assert slow.ended == ["a"]
        assert not slow.ends.waiting
        assert slow.end("a") == OVER, "the next one asks again"
        assert slow.ended == ["a", "a"]


def test_what_fails_fails_for_all_who_ask() -> None:
    with slow_ends() as slow:
        asked = [slow.begin("a"), *slow.join("a", 2)]
        slow.outcome = Problem("upstream_timeout")
        slow.let_go.set()
        for each in asked:
            with pytest.raises(Problem, match="upstream_timeout"):
                each.result(PATIENCE)


def test_who_asks_too_often_gets_no_thread_and_hinders_nobody() -> None:
    with slow_ends() as slow:
        slow.begin("a")
        slow.join("a", WAITING_FOR_ONE)
        for _ in range(100):
            with pytest.raises(Problem, match="instance_busy") as busy:
                slow.end("a")
        assert "Retry-After" in busy.value.headers
        slow.begin("b")
        slow.begin("c")
        slow.join("b", WAITING_FOR_ONE)
        slow.join("c", WAITING - 2 * WAITING_FOR_ONE)
        with pytest.raises(Problem, match="instance_busy"):
            slow.end("c")


def test_so_many_ends_over_sidebands_leave_threads_for_others() -> None:
    ends = SharedEnds()
    with ExitStack() as stack:
        for _ in range(SIDEBANDS_AT_ONCE):
            stack.enter_context(ends.sideband())
        with pytest.raises(Problem, match="instance_busy"), ends.sideband():
            pass
    with ends.sideband():
        pass
