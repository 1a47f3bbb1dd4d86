"""A worker that reports its process id and request count, and sleeps or exits when told to."""

from __future__ import annotations

import itertools
import os
import time
from typing import Any

from realtime_emulator.speech.worker import Answer, Handler, serve


def open_fickle() -> Handler:
    asked = itertools.count(1)

    def answer(question: dict[str, Any], blob: bytes) -> Answer:
        if question.get("die"):
            os._exit(3)
        time.sleep(question.get("sleep", 0))
        return {"pid": os.getpid(), "asked": next(asked)}, blob[::-1]

    return answer


if __name__ == "__main__":
    serve(open_fickle)
