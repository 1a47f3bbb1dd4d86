"""The recogniser's worker process: PocketSphinx with its bundled model.

`python -m realtime_emulator.speech.pocketsphinx_worker`, started by recognition.py.
"""

from __future__ import annotations

import array
import random
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

from realtime_emulator.speech.worker import Answer, Handler, serve

DITHER: Final = 8
"""Noise added to the audio, in least significant bits. Digital silence ruins recognition: with pure
zeros between the words, 87 % of clean synthetic speech was lost, with this noise 60 %; measured."""

FRAME_MS: Final = 10
"""The decoder's frame, at its default rate."""


MOST_STREAMS: Final = 3
"""How many utterances are decoded at once while they are spoken. Each takes 90 MB."""


class Streams:
    """The utterances that are decoded while they are spoken, by the ids of those who ask."""

    def __init__(self, make_decoder: Callable[[], Any]) -> None:
        self.make_decoder = make_decoder
        self.decoders = 0
        self.free: list[Any] = []
        self.running: dict[str, Any] = {}
        self.initial_cmn = ""

    def feed(self, question: dict[str, Any], pcm: bytes) -> dict[str, Any] | None:
        """The words so far, after more audio; those of the whole if it is the last. None if there
        is no such stream: too many run, or the process has been replaced since its beginning."""
        name = question["stream"]
        decoder = self.begin(name) if question.get("first") else self.running.get(name)
        if question.get("drop"):
            self.release(name)
            return None
        if decoder is None:
            return None
        if pcm:
            decoder.process_raw(dithered(pcm))
        if question.get("last"):
            decoder.end_utt()
        words = words_of(decoder)
        if question.get("last"):
            del self.running[name]
            self.free.append(decoder)
        return words

    def begin(self, name: str) -> Any:
        if not self.free:
            if self.decoders >= MOST_STREAMS:
                return None
            self.decoders += 1
            decoder = self.make_decoder()
            self.initial_cmn = decoder.get_cmn(False)
            self.free.append(decoder)
        decoder = self.running[name] = self.free.pop()
        # Otherwise it would begin with what it learnt of the last speaker's channel.
        decoder.set_cmn(self.initial_cmn)
        decoder.start_utt()
        return decoder

    def release(self, name: str) -> None:
        decoder = self.running.pop(name, None)
        if decoder is not None:
            decoder.end_utt()
            self.free.append(decoder)


def open_pocketsphinx() -> Handler:
    """Loads the model (about 0.3 s, 90 MB)."""
    from pocketsphinx import Decoder

    def make_decoder() -> Any:
        return Decoder(samprate=16_000, loglevel="FATAL")

    decoder = make_decoder()
    streams = Streams(make_decoder)

    def words(question: dict[str, Any], pcm: bytes) -> Answer:
        if "stream" in question:
            return streams.feed(question, pcm) or {"lost": True}, b""
        if not pcm:
            return {"words": "", "times": []}, b""
        decoder.start_utt()
        decoder.process_raw(dithered(pcm), full_utt=True)
        decoder.end_utt()
        return words_of(decoder), b""

    return words


def words_of(decoder: Any) -> dict[str, Any]:
    """The best that a decoder has."""
    best = decoder.hyp()
    text = "" if best is None else best.hypstr.lower()
    return {"words": text, "times": timed(decoder.seg() or ()) if text else []}


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
