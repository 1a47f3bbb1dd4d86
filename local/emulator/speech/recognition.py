"""Speech recognition: a small offline recogniser, good enough for a script's keywords."""

from __future__ import annotations

import importlib.util
import logging
from typing import Final, Protocol

from local.emulator.speech import pocketsphinx_worker
from local.emulator.speech.worker import Worker, WorkerFailed

logger = logging.getLogger(__name__)

LONGEST_BYTES: Final = 60 * 16_000 * 2
"""Only the last minute of an utterance is decoded, which takes a fifth of its length."""


class Recogniser(Protocol):
    """Turns one utterance into words."""

    async def recognise(self, pcm: bytes) -> str:
        """The lower-case words in 16 kHz mono s16le audio, or "" if it recognised none.

        Never raises for audio it cannot understand. `words(b"")` returns "" and warms it up.
        """
        ...


class SphinxRecogniser:
    """PocketSphinx in a worker process, started with the first request."""

    def __init__(self, worker: Worker | None = None) -> None:
        self.worker = worker or Worker(pocketsphinx_worker.__name__)
        self.has_warned = False

    async def recognise(self, pcm: bytes) -> str:
        try:
            answer, _ = await self.worker.ask({}, pcm[-LONGEST_BYTES:])
        except WorkerFailed as failure:
            if not self.has_warned:
                self.has_warned = True
                logger.warning("speech recognition failed, callers are not understood: %s", failure)
            return ""
        return str(answer["words"])

    def close(self) -> None:
        self.worker.close()


class DeafRecogniser:
    """The fallback where PocketSphinx is not installed: recognises nothing."""

    async def recognise(self, pcm: bytes) -> str:  # noqa: ARG002
        return ""


def open_recogniser() -> Recogniser:
    """The recogniser if it is installed; otherwise the fallback, with a warning in the log."""
    if importlib.util.find_spec("pocketsphinx") is None:
        logger.warning("pocketsphinx is not installed: callers are heard but not understood")
        return DeafRecogniser()
    return SphinxRecogniser()
