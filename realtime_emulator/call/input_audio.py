"""The input audio buffer: the caller's speech becomes items and transcripts."""

from __future__ import annotations

import base64
import sys
from array import array
from datetime import timedelta
from typing import Any

from realtime_emulator.call.context import CallContext
from realtime_emulator.call.conversation import Item, milliseconds
from realtime_emulator.call.dialogue import Dialogue
from realtime_emulator.call.hearing import Hearing
from realtime_emulator.call.turn_detection import IdleTimer, turn_detection_of
from realtime_emulator.media.vad import SpeechStarted, VoiceActivityDetector
from realtime_emulator.protocol import events, ids, session, usage
from realtime_emulator.protocol.validators import Invalid

RATE = 16_000
SHORTEST = timedelta(milliseconds=100)


class InputAudioBuffer:
    """Receives the audio of one caller."""

    def __init__(self, context: CallContext, dialogue: Dialogue) -> None:
        self.context, self.dialogue = context, dialogue
        self.hearing = Hearing(context)
        self.vad = VoiceActivityDetector(turn_detection_of(context.session))
        self.item_id: str | None = None
        self.idle_timer = IdleTimer(self.handle_idle_timeout)

    def emit(self, kind: str, **fields: Any) -> None:
        self.context.emit(events.event(kind, **fields))

    def apply_session(self) -> None:
        """Applies the turn detection of a session that has been updated."""
        detection = turn_detection_of(self.context.session)
        if detection != self.vad.detection:
            self.vad.set_detection(detection)

    def add_audio(self, pcm: bytes) -> None:
        """Takes 16 kHz mono audio from the caller."""
        for event in self.vad.add_audio(pcm):
            if isinstance(event, SpeechStarted):
                self.start_turn(event.at)
            else:
                self.stop_turn(event.at, event.pcm)

    def start_turn(self, at: timedelta) -> None:
        self.idle_timer.cancel()
        self.item_id = ids.new("item")
        self.emit(
            "input_audio_buffer.speech_started",
            audio_start_ms=milliseconds(at),
            item_id=self.item_id,
        )
        if session.turn_flag(self.context.session, "interrupt_response"):
            self.dialogue.interrupt()

    def stop_turn(self, at: timedelta, pcm: bytes) -> None:
        item_id = self.item_id or ids.new("item")
        self.emit(
            "input_audio_buffer.speech_stopped", audio_end_ms=milliseconds(at), item_id=item_id
        )
        self.finish_turn(pcm, item_id)

    def finish_turn(self, pcm: bytes, item_id: str) -> None:
        """Adds the item of a detected turn, and responds unless the session says otherwise."""
        self.item_id = None
        item = self.add_item(pcm, item_id)
        if session.turn_flag(self.context.session, "create_response"):
            self.dialogue.create_response({})
        self.start_transcription(item)

    def commit(self) -> None:
        """`input_audio_buffer.commit`. Raises Invalid if the buffer holds less than 100 ms."""
        pcm = self.vad.take_audio()
        if duration_of(pcm) < SHORTEST:
            raise Invalid(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least 100ms "
                f"of audio, but buffer only has {duration_of(pcm).total_seconds() * 1000:.2f}ms of "
                "audio.",
                None,
            )
        item_id, self.item_id = self.item_id or ids.new("item"), None
        self.start_transcription(self.add_item(pcm, item_id))

    def add_item(self, pcm: bytes, item_id: str) -> Item:
        item = Item(
            {
                "id": item_id,
                "type": "message",
                "status": "completed",
                "role": "user",
                "content": [{"type": "input_audio", "transcript": None}],
            },
            audio=duration_of(pcm),
            words=self.hearing.recognise(pcm),
        )
        previous = self.dialogue.conversation.last_id()
        self.emit("input_audio_buffer.committed", previous_item_id=previous, item_id=item_id)
        self.dialogue.add_item(item)
        return item

    def start_transcription(self, item: Item) -> None:
        config = self.context.session["audio"]["input"]["transcription"]
        if config is not None:
            self.context.spawn(self.transcribe(item, str(config.get("model", "whisper-1"))))

    async def transcribe(self, item: Item, model: str) -> None:
        """Emits the transcript while the response is in progress, as the live service does."""
        services = self.context.services
        response = self.dialogue.response
        place = {"item_id": item.id, "content_index": 0}
        words = await item.heard()
        if response is not None:
            await response.output_started.wait()
        if services.provider == "azure" and not services.script.is_deployed("transcription", model):
            self.emit(
                "conversation.item.input_audio_transcription.failed",
                **place,
                error={
                    "type": "invalid_request_error",
                    "code": "DeploymentNotFound",
                    "message": "The API deployment for this resource does not exist.",
                    "param": None,
                },
            )
            return
        item.data["content"][0]["transcript"] = words
        for index, word in enumerate(words.split()):
            self.context.emit(
                events.delta(
                    "conversation.item.input_audio_transcription.delta",
                    f" {word}" if index else word,
                    **place,
                )
            )
        self.emit(
            "conversation.item.input_audio_transcription.completed",
            **place,
            transcript=words,
            usage=transcription_usage(model, item.audio, words),
        )

    def start_idle_timer(self) -> None:
        """The assistant has finished speaking."""
        self.idle_timer.start(self.context.session, self.vad.position)

    def handle_idle_timeout(self, since: timedelta) -> None:
        if not self.dialogue.output.idle.is_set():
            return  # a response beside the conversation is heard; the timer starts at its end
        item_id = ids.new("item")
        self.emit(
            "input_audio_buffer.timeout_triggered",
            audio_start_ms=milliseconds(since),
            audio_end_ms=milliseconds(self.vad.position),
            item_id=item_id,
        )
        self.finish_turn(self.vad.take_audio(), item_id)


def duration_of(pcm: bytes) -> timedelta:
    return timedelta(seconds=len(pcm) / 2 / RATE)


def transcription_usage(model: str, audio: timedelta, words: str) -> dict[str, Any]:
    """Whisper and the live models are billed by duration, the others by token."""
    if "whisper" in model or "live" in model:
        return {"type": "duration", "seconds": round(audio.total_seconds(), 1)}
    heard, written = usage.of_input_audio(audio).total, usage.of_text(words).total
    return {
        "type": "tokens",
        "total_tokens": heard + written,
        "input_tokens": heard,
        "output_tokens": written,
        "input_token_details": {"audio_tokens": heard, "text_tokens": 0},
    }


def decode_audio(audio: str, param: str) -> bytes:
    """Base64 PCM at the clients' 24 kHz, resampled to 16 kHz. Raises Invalid if not base64."""
    try:
        raw = base64.b64decode(audio, validate=True)
    except ValueError:
        raise Invalid("invalid_value", f"Invalid '{param}': not base64 audio.", param) from None
    samples = array("h", raw[: len(raw) // 6 * 6])
    if sys.byteorder == "big":
        samples.byteswap()
    out = array("h", bytes(len(samples) // 3 * 4))
    out[0::2] = samples[0::3]
    out[1::2] = array(
        "h", [(a + b) // 2 for a, b in zip(samples[1::3], samples[2::3], strict=True)]
    )
    if sys.byteorder == "big":
        out.byteswap()
    return out.tobytes()
