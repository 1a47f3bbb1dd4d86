"""A library in a worker process of its own, called over its pipes.

Why a process: a decoder that holds the interpreter lock must not delay the audio of a call, a
native crash must not take down the emulator, and the synthesiser's licence (GPL) stays outside it.
A worker starts with the first request, handles one at a time and exits when its stdin closes, so it
never outlives its parent, however that dies. One that takes too long over a request, or goes on
with one that was cancelled while others wait, is killed and replaced: no caller's request may hold
up another's.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
LENGTHS: Final = struct.Struct(">II")

Answer = tuple[dict[str, Any], bytes]
Handler = Callable[[dict[str, Any], bytes], Answer]


TIME_LIMIT: Final = timedelta(seconds=40)
"""For one request. The longest takes twelve seconds, on a machine that is not busy."""


class WorkerFailed(RuntimeError):
    """The worker could not load its library, died twice on one request, or took too long."""


class Worker:
    """A client of `python -m module`, usable from any event loop.

    Closed by `close`, by garbage collection or at exit.
    """

    def __init__(self, module: str, time_limit: timedelta = TIME_LIMIT) -> None:
        self.thread = WorkerThread(module, time_limit)
        self.close = weakref.finalize(self, self.thread.close)

    def tell(self, question: dict[str, Any]) -> None:
        """A request whose answer nobody needs."""
        self.thread.put(Job(question, b"", lambda _: None, lambda: False))

    async def ask(
        self, question: dict[str, Any], blob: bytes = b"", *, in_any_case: bool = False
    ) -> Answer:
        """The worker's answer. Raises WorkerFailed.

        A request that is cancelled while it is queued is never sent to the worker. One that is
        cancelled later ends early if others wait. `in_any_case`: neither, because it is short, and
        the worker keeps something for others that would be lost.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()

        def settle(result: Answer | WorkerFailed) -> None:
            if answer.done():
                return
            if isinstance(result, WorkerFailed):
                answer.set_exception(result)
            else:
                answer.set_result(result)

        def done(result: Answer | WorkerFailed) -> None:
            with suppress(RuntimeError):  # the loop is closed, so nobody is waiting
                loop.call_soon_threadsafe(settle, result)

        is_cancelled = (lambda: False) if in_any_case else answer.cancelled
        self.thread.put(Job(question, blob, done, is_cancelled))
        try:
            return await answer
        except asyncio.CancelledError:
            self.thread.drop_cancelled_job()
            raise


@dataclass(frozen=True, slots=True)
class Job:
    """A request, the callback for its result, and whether its caller has given up."""

    question: dict[str, Any]
    blob: bytes
    done: Callable[[Answer | WorkerFailed], None]
    is_cancelled: Callable[[], bool]
    timed_out: threading.Event = field(default_factory=threading.Event)


class WorkerThread:
    """The thread that talks to the process.

    It holds no reference to its `Worker`, which can therefore be garbage-collected.
    """

    def __init__(self, module: str, time_limit: timedelta) -> None:
        self.module = module
        self.time_limit = time_limit
        self.process: subprocess.Popen[bytes] | None = None
        self.thread: threading.Thread | None = None
        self.closed = False
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.lock = threading.Lock()
        self.current: Job | None = None
        """The request that the process is answering."""

    def put(self, job: Job) -> None:
        if self.closed:
            job.done(WorkerFailed(f"{self.module} is closed"))
            return
        if self.thread is None:
            # A daemon thread: a pending request must not keep the program from exiting.
            self.thread = threading.Thread(target=self.run, name=self.module, daemon=True)
            self.thread.start()
        self.jobs.put(job)
        self.drop_cancelled_job()

    def drop_cancelled_job(self) -> None:
        """Ends the process if it is answering nobody while others wait."""
        with self.lock:
            job = self.current
            if job is not None and job.is_cancelled() and not self.jobs.empty():
                self.kill_process()

    def end_job(self, job: Job) -> None:
        """Ends the process if it is still answering this request."""
        with self.lock:
            if self.current is job:
                job.timed_out.set()
                self.kill_process()

    def kill_process(self) -> None:
        process = self.process  # the thread may forget it at any time
        if process is not None:
            process.kill()

    def close(self) -> None:
        self.closed = True
        self.kill_process()
        self.jobs.put(None)
        if self.thread not in (None, threading.current_thread()):
            assert self.thread is not None
            self.thread.join(timeout=5)

    def run(self) -> None:
        while (job := self.jobs.get()) is not None:
            if job.is_cancelled():
                continue
            timer = threading.Timer(self.time_limit.total_seconds(), self.end_job, [job])
            timer.daemon = True
            timer.start()
            try:
                job.done(self.exchange(job))
            except WorkerFailed as failure:
                job.done(failure)
            finally:
                timer.cancel()
        self.end_process()

    def exchange(self, job: Job) -> Answer:
        with self.lock:
            self.current = job
        try:
            return self.ask_process(job)
        finally:
            with self.lock:
                self.current = None

    def ask_process(self, job: Job) -> Answer:
        for _ in range(2):
            try:
                process = self.ensure_process()
                assert process.stdin is not None
                assert process.stdout is not None
                write_message(process.stdin, job.question, job.blob)
                answer, audio = read_message(process.stdout)
            except (OSError, EOFError):
                self.end_process()
                if job.timed_out.is_set():
                    raise WorkerFailed(f"{self.module} took too long") from None
                if self.closed or job.is_cancelled():
                    break
                continue
            if "error" in answer:
                raise WorkerFailed(str(answer["error"]))
            return answer, audio
        raise WorkerFailed(f"{self.module} exited without an answer")

    def ensure_process(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            self.process = subprocess.Popen(  # noqa: S603  (our own module)
                [sys.executable, "-m", self.module],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            if self.closed:
                self.process.kill()
            # Its request may have been given up while there was no process to end.
            self.drop_cancelled_job()
        return self.process

    def end_process(self) -> None:
        if self.process is None:
            return
        self.process.kill()
        # Leaving the context closes the pipes and reaps the process.
        try:
            with self.process:
                pass
        except OSError:
            self.process.wait()
        self.process = None


def serve(open_handler: Callable[[], Handler]) -> None:
    """The worker's main loop: answers requests until its parent is gone.

    `open_handler` loads the library. If it raises, every request is answered with that error.
    """
    # Ctrl-C reaches the whole terminal; the parent decides when its workers stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        handler = open_handler()
    except Exception as error:  # a native library may raise anything
        reason = f"{type(error).__name__}: {error}"

        def handler(question: dict[str, Any], blob: bytes) -> Answer:  # noqa: ARG001
            return {"error": reason}, b""

    try:
        while True:
            write_message(answers, *handler(*read_message(sys.stdin.buffer)))
    except (EOFError, OSError):
        # The parent is gone. Skip the interpreter's shutdown, which would flush a broken pipe.
        os._exit(0)


def write_message(pipe: IO[bytes], header: dict[str, Any], blob: bytes) -> None:
    text = json.dumps(header).encode()
    pipe.write(LENGTHS.pack(len(text), len(blob)) + text + blob)
    pipe.flush()


def read_message(pipe: IO[bytes]) -> Answer:
    lengths = read_exactly(pipe, LENGTHS.size)
    text, blob = LENGTHS.unpack(lengths)
    header: dict[str, Any] = json.loads(read_exactly(pipe, text))
    return header, read_exactly(pipe, blob)


def read_exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data
