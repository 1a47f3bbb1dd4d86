"""The words a caller said: a small offline recogniser, good enough for a script's key words."""

from __future__ import annotations

import importlib.util
import logging
from typing import Final, Protocol

from local.emulator.speech.worker import Worker, WorkerFailed

logger = logging.getLogger(__name__)

LONGEST_BYTES: Final = 60 * 16_000 * 2
"""Only the last minute of an utterance is recognised: decoding takes a fifth of its length."""


class Recogniser(Protocol):
    """Turns one utterance into words."""

    async def words(self, pcm: bytes) -> str:
        """Takes 16 kHz mono s16le; gives lower-case words, "" if it understood nothing.

        Never raises for what it cannot understand. `words(b"")` gives "" and warms it up.
        """
        ...


class SphinxRecogniser:
    """PocketSphinx in a worker process, started with the first question."""

    def __init__(self, worker: Worker | None = None) -> None:
        self._worker = worker or Worker("local.emulator.speech.pocketsphinx")
        self._complained = False

    async def words(self, pcm: bytes) -> str:
        try:
            answer, _ = await self._worker.ask({}, pcm[-LONGEST_BYTES:])
        except WorkerFailed as failure:
            if not self._complained:
                self._complained = True
                logger.warning(
                    "the recogniser does not work, callers are not understood: %s", failure
                )
            return ""
        return str(answer["words"])

    def close(self) -> None:
        self._worker.close()


class DeafRecogniser:
    """Stands in where the recogniser is not installed: understands nothing."""

    async def words(self, pcm: bytes) -> str:  # noqa: ARG002
        return ""


def open_recogniser() -> Recogniser:
    """Gives the recogniser if it is installed; says so once in the log if not."""
    if importlib.util.find_spec("pocketsphinx") is None:
        logger.warning("pocketsphinx is not installed: callers are heard but not understood")
        return DeafRecogniser()
    return SphinxRecogniser()
