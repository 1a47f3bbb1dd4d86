"""The sound of a session: both directions, and who gives way to whom.

Driven by whoever carries the audio: `add_input` for each 20 ms that the caller sent, `next_frame`
for each 20 ms that the caller is to get. Both say where on the timeline they are.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from realtime_emulator.live.decimation import Decimator
from realtime_emulator.live.ears import Ears, Speech
from realtime_emulator.live.idling import IdleWatch
from realtime_emulator.live.media_interfaces import (
    CHUNK_BYTES,
    GRID_MS,
    Manner,
    MediaEvents,
    MediaSettings,
    Utterance,
)
from realtime_emulator.live.mouth import Frame, Mouth, Speaking
from realtime_emulator.live.reflection import OutputReflection

if TYPE_CHECKING:
    from realtime_emulator.call.services import Services

HOLD_MS: Final = 300
"""A caller who speaks for this long silences the model."""

QUIET_MS: Final = 300
"""One who then is quiet for this long lets it go on: that was a backchannel."""

INTERRUPT_MS: Final = 800
"""One who speaks for this long has interrupted it."""

BACKCHANNEL: Final = "Mm-hm."

INTERRUPTING_WORDS: Final = frozenset(
    ("stop", "wait", "no", "hold", "enough", "quiet", "cancel", "excuse", "hey", "sorry", "but")
)
"""Words that are no backchannel, however short."""


class LiveAudio:
    """Hears, speaks and gives way."""

    def __init__(
        self,
        settings: MediaSettings,
        events: MediaEvents,
        services: Services,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        *,
        reflects_input: bool = True,
        on_output: Callable[[bytes, int, int], None] | None = None,
        chunk_ms: int = GRID_MS,
    ) -> None:
        self.settings = settings
        self.reflects_input = reflects_input
        self.events = events
        self.is_muted = False
        self.ears = Ears(
            services.recogniser,
            on_started=events.speech_started,
            on_ended=self.handle_utterance,
            on_words=events.input_words,
            spawn=spawn,
        )
        self.mouth = Mouth(
            services.voice, settings.voice, on_words=events.output_words, spawn=spawn
        )
        self.idle = IdleWatch(settings.idle_timeout, settings.wake_threshold, events)
        self.reflection = OutputReflection(on_output or events.output_audio, chunk_ms)
        self.decimator = Decimator()
        self.input_chunk = bytearray()
        self.now_ms = 0
        self.backchannel_ms = 0
        """When the model last gave a backchannel, or the caller began to speak."""
        self.overlapped: set[int] = set()
        """Where the caller started to speak over the model without having interrupted it yet."""

    def add_input(self, pcm: bytes, end_ms: int) -> None:
        """Takes 24 kHz audio from the caller that ends at that position."""
        if self.reflects_input:
            self.input_chunk += pcm
        while len(self.input_chunk) >= CHUNK_BYTES:
            self.events.input_audio(bytes(self.input_chunk[:CHUNK_BYTES]))
            del self.input_chunk[:CHUNK_BYTES]
        heard = self.decimator.add(pcm)
        if self.is_muted or self.mouth.plays_fixture:
            heard = bytes(len(heard))
        if self.idle.is_paused:
            heard = self.idle.listen(heard, end_ms)
        if heard:
            self.ears.add_frame(heard, end_ms)
        if self.ears.speech is not None:
            self.idle.note_activity(end_ms)
            self.give_way(self.ears.speech, end_ms)
        else:
            self.mouth.resume()
            if not self.ears.unfinished:
                # Speech that the ears forgot becomes no utterance.
                self.overlapped.clear()

    def next_frame(self, at_ms: int) -> Frame | None:
        """The 20 ms that the caller gets at `at_ms`; None for silence."""
        self.now_ms = at_ms
        self.ears.release_words(at_ms)
        self.give_backchannel(at_ms)
        frame = self.mouth.next_frame(at_ms, may_answer=self.ears.speech is None)
        if self.mouth.is_busy:
            self.idle.note_activity(at_ms)
        if self.idle.is_due(at_ms):
            self.ears.forget()
            self.idle.pause(at_ms)
        self.reflection.add_frame(None if frame is None else frame.narrow, at_ms)
        return frame

    def say(self, text: str, manner: Manner) -> Speaking:
        self.idle.wake(self.now_ms)
        return self.mouth.say(text, manner)

    def play_fixture(self, pcm: bytes) -> Speaking:
        self.idle.wake(self.now_ms)
        self.ears.forget()
        return self.mouth.play(pcm)

    def give_way(self, speech: Speech, now_ms: int) -> None:
        """Silences the model if the caller has started to speak over what it is saying. What the
        model began while the caller was speaking already goes on."""
        current = self.mouth.current
        if current is None or current.is_fixture or current.started_ms is None:
            return
        if speech.onset_ms < current.started_ms:
            return
        quiet_ms = self.ears.quiet_ms(now_ms)
        self.overlapped.add(speech.onset_ms)
        if speech.length_ms >= INTERRUPT_MS:
            self.overlapped.discard(speech.onset_ms)
            self.mouth.interrupt()
        elif quiet_ms >= QUIET_MS:
            self.mouth.resume()
        elif speech.length_ms >= HOLD_MS:
            self.mouth.hold()

    def handle_utterance(self, utterance: Utterance) -> None:
        was_over_model = utterance.start_ms in self.overlapped
        self.overlapped.discard(utterance.start_ms)
        is_short = utterance.end_ms - utterance.start_ms < INTERRUPT_MS
        if was_over_model and is_short:
            if INTERRUPTING_WORDS & set(utterance.text.split()):
                self.mouth.interrupt()
            else:
                utterance = replace(utterance, is_backchannel=True)
        self.events.speech_ended(utterance)

    def give_backchannel(self, now_ms: int) -> None:
        """Says "Mm-hm." to a caller who has been speaking for long."""
        speech, after = self.ears.speech, self.settings.backchannel_after
        if speech is None or after is None:
            self.backchannel_ms = now_ms
            return
        due_ms = max(self.backchannel_ms, speech.onset_ms) + after.total_seconds() * 1000
        if now_ms >= due_ms and not self.mouth.is_busy:
            self.backchannel_ms = now_ms
            self.mouth.say(BACKCHANNEL, "commentary")

    def close(self) -> None:
        self.mouth.close()
        self.ears.close()
