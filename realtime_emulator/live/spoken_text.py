"""A caller without a voice: text that counts as spoken, for tests."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from realtime_emulator.live.context import wait_for_position
from realtime_emulator.live.media_interfaces import GRID_MS, Fragment, Utterance

if TYPE_CHECKING:
    from realtime_emulator.live.session import LiveSession

LAG_MS: Final = 600
"""How far the transcript of the caller is behind the words."""
PAUSE_MS: Final = 400
"""How long the caller has to be silent to have finished."""


async def hear(session: LiveSession, text: str, *, at_once: bool = False) -> None:
    """Lets the session hear the text, a word in each cell of its timeline. With `at_once`, all
    words have been spoken already."""
    words = re.findall(r"\s*\S+", text)
    media, listener = session.media, session.listener
    start = (media.position_ms // GRID_MS + 1) * GRID_MS
    if at_once:
        start -= GRID_MS * (len(words) + 1)
    cells = [max(0, start + index * GRID_MS) for index in range(len(words))]
    end = (cells[-1] if cells else start) + GRID_MS
    if session.audio.is_muted:
        return
    listener.speech_started(max(0, start))
    session.spawn(transcribe(session, words, cells, wait=not at_once))
    if not at_once:
        await wait_for_position(media, end + PAUSE_MS)
    await asyncio.sleep(0)
    listener.speech_ended(Utterance(text.strip(), max(0, start), max(0, end)))


async def transcribe(
    session: LiveSession, words: list[str], cells: list[int], *, wait: bool
) -> None:
    for word, cell in zip(words, cells, strict=True):
        if wait:
            await wait_for_position(session.media, cell + GRID_MS + LAG_MS)
        session.listener.input_words(Fragment(word, cell, cell + GRID_MS))
