"""The recogniser's worker process: PocketSphinx with its bundled model.

`python -m local.emulator.speech.pocketsphinx_worker`, started by recognition.py.
"""

from __future__ import annotations

import array
import random
import sys
from collections.abc import Iterable
from typing import Any, Final

from local.emulator.speech.worker import Answer, Handler, serve

DITHER: Final = 8
"""Noise added to the audio, in least significant bits. Digital silence ruins recognition: with pure
zeros between the words, 87 % of clean synthetic speech was lost, with this noise 60 %; measured."""

FRAME_MS: Final = 10
"""The decoder's frame, at its default rate."""


def open_pocketsphinx() -> Handler:
    """Loads the model (about 0.3 s, 90 MB)."""
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=16_000, loglevel="FATAL")

    def words(question: dict[str, Any], pcm: bytes) -> Answer:  # noqa: ARG001
        if not pcm:
            return {"words": "", "times": []}, b""
        decoder.start_utt()
        decoder.process_raw(dithered(pcm), full_utt=True)
        decoder.end_utt()
        best = decoder.hyp()
        text = "" if best is None else best.hypstr.lower()
        return {"words": text, "times": timed(decoder.seg() or ()) if text else []}, b""

    return words


def timed(segments: Iterable[Any]) -> list[tuple[str, int, int]]:
    """The words with where they start and end, in milliseconds. Silences, noises and the marks of
    alternative pronunciations ("the(2)") are left out."""
    return [
        (s.word.partition("(")[0].lower(), FRAME_MS * s.start_frame, FRAME_MS * (s.end_frame + 1))
        for s in segments
        if s.word[0] not in "<["
    ]


def dithered(pcm: bytes) -> bytes:
    """The audio with noise added: the same bytes, and so the same words, each time."""
    samples = array.array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    span = 2 * DITHER + 1
    noise = random.Random(0).randbytes(len(samples))  # noqa: S311  (noise, not a secret)
    for index, byte in enumerate(noise):
        samples[index] = max(-32768, min(32767, samples[index] + byte % span - DITHER))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


if __name__ == "__main__":
    serve(open_pocketsphinx)
