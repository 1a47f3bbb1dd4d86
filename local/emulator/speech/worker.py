"""A library kept in a process of its own, asked over its pipes.

Why a process: a decoder that holds the interpreter lock must not delay the audio of a call, a
native crash must not end the emulator, and the synthesiser's licence (GPL) stays outside of it.
A worker starts with the first question, answers one at a time, and ends when its pipe does:
however the parent dies, no worker outlives it.
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
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

ROOT: Final = Path(__file__).resolve().parents[3]
LENGTHS: Final = struct.Struct(">II")

Answer = tuple[dict[str, Any], bytes]
Handler = Callable[[dict[str, Any], bytes], Answer]


class WorkerFailed(RuntimeError):
    """The worker could not load its library, or ended twice over one question."""


class Worker:
    """Asks `python -m module`. Usable from any event loop; closed with `close`, garbage or exit."""

    def __init__(self, module: str) -> None:
        self._line = Line(module)
        self.close = weakref.finalize(self, self._line.close)

    async def ask(self, question: dict[str, Any], blob: bytes = b"") -> Answer:
        """Gives the worker's answer. Raises WorkerFailed.

        A question is not put to the worker any more if its asker was cancelled before its turn.
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
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, result)

        self._line.put(Job(question, blob, done, answer.cancelled))
        return await answer


@dataclass(frozen=True, slots=True)
class Job:
    """A question, who is told the answer, and whether nobody waits for it any more."""

    question: dict[str, Any]
    blob: bytes
    done: Callable[[Answer | WorkerFailed], None]
    dropped: Callable[[], bool]


class Line:
    """The thread that talks to the process; holds no `Worker`, so that one can be collected."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()

    def put(self, job: Job) -> None:
        if self._closed:
            job.done(WorkerFailed(f"{self._module} is closed"))
            return
        if self._thread is None:
            # A daemon thread: an answer that is still awaited must not hold the program's exit.
            self._thread = threading.Thread(target=self._run, name=self._module, daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def close(self) -> None:
        self._closed = True
        if self._process is not None:
            self._process.kill()
        self._jobs.put(None)
        if self._thread not in (None, threading.current_thread()):
            assert self._thread is not None
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.dropped():
                continue
            try:
                job.done(self._exchange(job.question, job.blob))
            except WorkerFailed as failure:
                job.done(failure)
        self._end()

    def _exchange(self, question: dict[str, Any], blob: bytes) -> Answer:
        for _ in range(2):
            try:
                process = self._started()
                assert process.stdin is not None
                assert process.stdout is not None
                write(process.stdin, question, blob)
                answer, audio = read(process.stdout)
            except (OSError, EOFError):
                self._end()
                if self._closed:
                    break
                continue
            if "error" in answer:
                raise WorkerFailed(str(answer["error"]))
            return answer, audio
        raise WorkerFailed(f"{self._module} ended without an answer")

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603  (our own module)
                [sys.executable, "-m", self._module],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            if self._closed:
                self._process.kill()
        return self._process

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        # Leaving the context closes the pipes and reaps the process.
        try:
            with self._process:
                pass
        except OSError:
            self._process.wait()
        self._process = None


def serve(open_handler: Callable[[], Handler]) -> None:
    """The worker's side: answers questions until its parent is gone.

    `open_handler` loads the library; what it raises becomes every question's answer.
    """
    # Ctrl-C reaches the whole terminal; the parent decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        handler = open_handler()
    except Exception as error:  # whatever a native library finds to complain of
        reason = f"{type(error).__name__}: {error}"

        def handler(question: dict[str, Any], blob: bytes) -> Answer:  # noqa: ARG001
            return {"error": reason}, b""

    try:
        while True:
            write(answers, *handler(*read(sys.stdin.buffer)))
    except (EOFError, OSError):
        # The parent is gone. Skip the interpreter's own farewell: it would flush a broken pipe.
        os._exit(0)


def write(pipe: IO[bytes], header: dict[str, Any], blob: bytes) -> None:
    text = json.dumps(header).encode()
    pipe.write(LENGTHS.pack(len(text), len(blob)) + text + blob)
    pipe.flush()


def read(pipe: IO[bytes]) -> Answer:
    lengths = exactly(pipe, LENGTHS.size)
    text, blob = LENGTHS.unpack(lengths)
    header: dict[str, Any] = json.loads(exactly(pipe, text))
    return header, exactly(pipe, blob)


def exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data
