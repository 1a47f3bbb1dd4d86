"""A worker that tells its process id, and dies when it is told to."""

from __future__ import annotations

import os
from typing import Any

from local.emulator.worker import Answer, Handler, serve


def open_fickle() -> Handler:
    def answer(question: dict[str, Any], blob: bytes) -> Answer:
        if question.get("die"):
            os._exit(3)
        return {"pid": os.getpid()}, blob[::-1]

    return answer


if __name__ == "__main__":
    serve(open_fickle)
