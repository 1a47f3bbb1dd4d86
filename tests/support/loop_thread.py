"""An event loop in its own thread, for servers that blocking tests use."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
LIMIT = 10  # seconds


class Runner(Protocol):
    """Runs a coroutine on the loop and waits for its result, ten seconds at most."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T: ...


@contextmanager
def loop_in_thread() -> Iterator[Runner]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="test servers", daemon=True)
    thread.start()

    def run(work: Coroutine[Any, Any, T], /) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(LIMIT)

    try:
        yield run
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
