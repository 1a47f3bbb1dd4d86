"""The caller's side of the conversation: what the ears find becomes items and transcripts."""

import asyncio
import base64
import binascii
import sys
from array import array
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from local.emulator.call.conversation import Item, milliseconds
from local.emulator.media.vad import SpeechStarted, VoiceActivityDetector
from local.emulator.protocol import events, ids, session, usage
from local.emulator.protocol.validators import Invalid

if TYPE_CHECKING:
    from local.emulator.call.call import Call

RATE = 16_000
SHORTEST = timedelta(milliseconds=100)


class InputAudioBuffer:
    """Hears one caller."""

    def __init__(self, call: "Call") -> None:
        self.call = call
        self.ears = VoiceActivityDetector(session.ears_of(call.session))
        self.item_id: str | None = None
        self.idle: asyncio.TimerHandle | None = None

    def emit(self, kind: str, **fields: Any) -> None:
        self.call.emit(events.event(kind, **fields))

    def session_changed(self) -> None:
        detection = session.ears_of(self.call.session)
        if detection != self.ears.detection:
            self.ears.detection = detection

    def hear(self, pcm: bytes) -> None:
        """16 kHz mono audio from the caller."""
        for event in self.ears.hear(pcm):
            if isinstance(event, SpeechStarted):
                self.started(event.at)
            else:
                self.stopped(event.at, event.pcm)

    def started(self, at: timedelta) -> None:
        self.wait_no_longer()
        self.item_id = ids.new("item")
        self.emit(
            "input_audio_buffer.speech_started",
            audio_start_ms=milliseconds(at),
            item_id=self.item_id,
        )
        if session.turn_rule(self.call.session, "interrupt_response"):
            self.call.dialogue.interrupt()

    def stopped(self, at: timedelta, pcm: bytes) -> None:
        item_id = self.item_id or ids.new("item")
        self.emit(
            "input_audio_buffer.speech_stopped", audio_end_ms=milliseconds(at), item_id=item_id
        )
        self.turn(pcm, item_id)

    def turn(self, pcm: bytes, item_id: str) -> None:
        """A turn that was detected: an item, and an answer unless the session says otherwise."""
        self.item_id = None
        item = self.add(pcm, item_id)
        if session.turn_rule(self.call.session, "create_response"):
            self.call.dialogue.respond({})
        self.transcribe(item)

    def commit(self) -> None:
        """`input_audio_buffer.commit`.

        Raises:
            Invalid: less than 100 ms is in the buffer.
        """
        pcm = self.ears.take()
        if length(pcm) < SHORTEST:
            raise Invalid(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least 100ms "
                f"of audio, but buffer only has {length(pcm).total_seconds() * 1000:.2f}ms of "
                "audio.",
                None,
            )
        item_id, self.item_id = self.item_id or ids.new("item"), None
        self.transcribe(self.add(pcm, item_id))

    def add(self, pcm: bytes, item_id: str) -> Item:
        item = Item(
            {
                "id": item_id,
                "type": "message",
                "status": "completed",
                "role": "user",
                "content": [{"type": "input_audio", "transcript": None}],
            },
            audio=length(pcm),
            words=self.call.spawn(self.recognise(pcm)),
        )
        previous = self.call.dialogue.conversation.last()
        self.emit("input_audio_buffer.committed", previous_item_id=previous, item_id=item_id)
        self.call.dialogue.add(item)
        return item

    async def recognise(self, pcm: bytes) -> str:
        recogniser = await self.call.services.recogniser()
        return await recogniser.words(pcm)

    def transcribe(self, item: Item) -> None:
        wanted = self.call.session["audio"]["input"]["transcription"]
        if wanted is not None:
            self.call.spawn(self.transcript(item, str(wanted.get("model", "whisper-1"))))

    async def transcript(self, item: Item, model: str) -> None:
        """The transcript comes while the answer is under way, as live."""
        services = self.call.services
        response = self.call.dialogue.response
        place = {"item_id": item.id, "content_index": 0}
        words = await item.heard()
        if response is not None:
            await response.begun.wait()
        if services.provider == "azure" and not services.script.deployed("transcription", model):
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
            self.call.emit(
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

    def caller_is_expected(self) -> None:
        """The assistant has finished speaking: `idle_timeout_ms` begins."""
        wanted = self.call.session["audio"]["input"]["turn_detection"] or {}
        timeout = wanted.get("idle_timeout_ms")
        self.wait_no_longer()
        if timeout:
            loop = asyncio.get_running_loop()
            self.idle = loop.call_later(timeout / 1000, self.timed_out, self.ears.position)

    def timed_out(self, since: timedelta) -> None:
        item_id = ids.new("item")
        self.emit(
            "input_audio_buffer.timeout_triggered",
            audio_start_ms=milliseconds(since),
            audio_end_ms=milliseconds(self.ears.position),
            item_id=item_id,
        )
        self.turn(self.ears.take(), item_id)

    def wait_no_longer(self) -> None:
        if self.idle is not None:
            self.idle.cancel()
            self.idle = None


def length(pcm: bytes) -> timedelta:
    return timedelta(seconds=len(pcm) / 2 / RATE)


def transcription_usage(model: str, audio: timedelta, words: str) -> dict[str, Any]:
    """Whisper is billed by duration, the others by token."""
    if "whisper" in model:
        return {"type": "duration", "seconds": round(audio.total_seconds(), 1)}
    heard, written = usage.of_speech_heard(audio).total, usage.of_text(words).total
    return {
        "type": "tokens",
        "total_tokens": heard + written,
        "input_tokens": heard,
        "output_tokens": written,
        "input_token_details": {"audio_tokens": heard, "text_tokens": 0},
    }


def decoded(audio: str, param: str) -> bytes:
    """Base-64 PCM of 24 kHz, as clients send it, at the ears' 16 kHz.

    Raises:
        Invalid: not base 64.
    """
    try:
        raw = base64.b64decode(audio, validate=True)
    except binascii.Error:
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
