"""Does what is left to be done when the process is told to stop.

Functions gives an app no hook for that. Where a host sends SIGTERM, or lets the interpreter exit,
there are a few seconds; where it kills the worker, there are none.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from types import FrameType

PATIENCE = timedelta(seconds=3)


def run_at_exit(work: Callable[[], object]) -> None:
    """Has `work` done once the process is to stop, within `PATIENCE`. A handler of SIGTERM that
    somebody else has set is left as it is. Call it at load."""

    def work_within_patience(*_: object) -> None:
        # Of its own, because the main thread may hold what the work waits for.
        thread = threading.Thread(target=work, name="exit", daemon=True)
        thread.start()
        thread.join(PATIENCE.total_seconds())

    def stop(number: int, _: FrameType | None) -> None:
        work_within_patience()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    atexit.register(work_within_patience)
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, stop)
