"""What the media of a session tell it, turned into events."""

from __future__ import annotations

from collections.abc import Callable

from realtime_emulator.live import events
from realtime_emulator.live.context import SessionContext
from realtime_emulator.live.conversation import Conversation
from realtime_emulator.live.events import Event
from realtime_emulator.live.media_interfaces import Fragment, Utterance


class MediaListener:
    """Implements `MediaEvents` for one session. `handle_event` takes a client event and says where
    it comes from."""

    def __init__(
        self,
        context: SessionContext,
        conversation: Conversation,
        handle_event: Callable[[str, str], None],
    ) -> None:
        self.context, self.conversation = context, conversation
        self.handle_event = handle_event

    def media_connected(self) -> None:
        self.context.media.send_event(self.context.started)

    def receive_event(self, text: str, source: str) -> None:
        if self.context.ended is None:
            self.handle_event(text, source)

    def input_audio(self, pcm: bytes) -> None:
        session = self.context
        if session.ended is None:
            if session.recording is not None:
                session.recording.add_caller(pcm)
            session.counts[events.INPUT_AUDIO] += 1
            session.outlets.send_audio({"type": events.INPUT_AUDIO}, "audio", pcm)

    def output_audio(self, pcm: bytes, start_ms: int, end_ms: int) -> None:
        session = self.context
        first_ms = session.script.seconds("first_audio_seconds") * 1000
        if session.ended is not None or start_ms < first_ms:
            return
        if session.recording is not None:
            session.recording.add_model(pcm, start_ms)
        session.counts[events.OUTPUT_AUDIO] += 1
        event: Event = {"type": events.OUTPUT_AUDIO, "delta": ""}
        if not session.is_primary:
            event |= {"start_ms": start_ms, "end_ms": end_ms}
        session.outlets.send_audio(event, "delta", pcm)

    def input_words(self, fragment: Fragment) -> None:
        self.context.heard_ms = max(self.context.heard_ms, fragment.end_ms)
        self.emit_words("input", fragment)

    def output_words(self, fragment: Fragment) -> None:
        self.emit_words("output", fragment)

    def emit_words(self, side: str, fragment: Fragment) -> None:
        place = (fragment.start_ms, fragment.end_ms)
        self.context.emit(events.transcript(side, fragment.text, *place))

    def speech_started(self, start_ms: int) -> None:
        """The media stop what the model says by themselves."""

    def speech_ended(self, utterance: Utterance) -> None:
        if not utterance.is_backchannel and self.context.takes_commands:
            self.conversation.reply_to(utterance)

    def paused(self) -> None:
        self.context.is_paused = True
        self.context.emit(events.event("session.paused"))

    def resumed(self) -> None:
        self.context.is_paused = False
        self.context.emit(events.event("session.resumed"))

    def connection_lost(self) -> None:
        self.context.close("connection_lost")
