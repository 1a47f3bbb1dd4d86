"""Does what is left to be done when the process is told to stop.

Functions gives an app no hook for that. The worker of Python has no handler of SIGTERM, so one can
be set here, on its main thread. Who sends one: container/entry.py, to the host and the worker at
once. The host gives running functions ten seconds then and kills the worker. Where the worker alone
is killed there is no time at all.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import FrameType

from shared.core import stopping

PATIENCE = timedelta(seconds=3)
BUSY_AT_MOST = timedelta(seconds=15)
"""How long calls may take to be handed over; the host itself gives them ten seconds."""
LINGERS = timedelta(seconds=25)
"""How long a worker that was told to stop waits for its host to end it."""
POLL = timedelta(milliseconds=100)
IN_A_WORKER = "FUNCTIONS_WORKER_RUNTIME"


def never_busy() -> bool:
    return False


def run_at_exit(work: Callable[[], object], is_busy: Callable[[], bool] = never_busy) -> None:
    """Has `work` done once the process is to stop, within `PATIENCE`. A handler of SIGTERM that
    somebody else has set is left as it is. Call it at load.

    SIGTERM begins `stopping.PROCESS`, and the process ends once it is not `is_busy` any more.
    """
    end = ProcessEnd(work, is_busy)
    atexit.register(end.work_within_patience)
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end.stop)


class ProcessEnd:
    """How this process ends when it gets SIGTERM."""

    def __init__(self, work: Callable[[], object], is_busy: Callable[[], bool]) -> None:
        self.work = work
        self.is_busy = is_busy
        self.host = os.getppid()
        self.ending: threading.Thread | None = None
        self.may_end = False

    def work_within_patience(self) -> None:
        # On a thread of its own, because the main thread may hold what the work waits for.
        thread = threading.Thread(target=self.work, name="exit", daemon=True)
        thread.start()
        thread.join(PATIENCE.total_seconds())

    def stop(self, number: int, _: FrameType | None) -> None:
        """The handler. It must not block where an event loop runs on the main thread."""
        stopping.PROCESS.begin()
        if self.may_end or not (self.is_busy() or IN_A_WORKER in os.environ):
            self.work_within_patience()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif self.ending is None:
            self.ending = threading.Thread(target=self.end_later, args=(number,), daemon=True)
            self.ending.start()

    def end_later(self, number: int) -> None:
        began = time.monotonic()
        while self.is_busy() and time.monotonic() < began + BUSY_AT_MOST.total_seconds():
            time.sleep(POLL.total_seconds())
        self.work()
        # Until the host ends this worker it asks it for answers to requests.
        while self.has_host() and time.monotonic() < began + LINGERS.total_seconds():
            time.sleep(POLL.total_seconds())
        self.may_end = True
        os.kill(os.getpid(), number)

    def has_host(self) -> bool:
        return IN_A_WORKER in os.environ and os.getppid() == self.host
