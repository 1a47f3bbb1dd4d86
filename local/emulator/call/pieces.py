"""Beginnings of a speech: what they cost, and what they sound like."""

from datetime import timedelta

from local.emulator.protocol import usage
from local.emulator.protocol.usage import Tokens
from local.emulator.speech.synthesis import Speech


def cost(speech: Speech, count: int) -> Tokens:
    """The tokens of a speech's first words."""
    words = speech.words[:count]
    text = "".join(word.text for word in words)
    whole = count == len(speech.words)
    length = speech.duration if whole else words[-1].end if words else timedelta(0)
    return usage.of_text(text) + usage.of_speech_made(length)


def first_words(speech: Speech, count: int) -> Speech:
    """The beginning of a speech."""
    if count >= len(speech.words):
        return speech
    words = speech.words[:count]
    end = words[-1].end if words else timedelta(0)
    samples = int(end.total_seconds() * speech.rate)
    return Speech(speech.pcm[: 2 * samples], words, speech.rate)
