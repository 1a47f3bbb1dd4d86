"""A worker whose library cannot be loaded."""

from __future__ import annotations

from realtime_emulator.speech.worker import Handler, serve


def open_nothing() -> Handler:
    raise OSError("no such library")


if __name__ == "__main__":
    serve(open_nothing)
