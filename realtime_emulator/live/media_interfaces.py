"""What the engine and the media of a GPT-Live session know of each other.

The engine owns the session: its resource, events, delegation, usage and end. The media own its
timeline and everything on it: what the caller says, what the model says, and when. They meet in two
protocols: `Media`, which the engine drives, and `MediaEvents`, which the engine implements. All
calls are made on the event loop and none of them blocks.

Two kinds of media implement `Media`: `webrtc_media.WebRtcMedia` (made by
`webrtc_media.answer_offer`; its timeline is the time since it was made) and
`socket_media.SocketMedia` (a primary WebSocket; its timeline is the audio that was appended).

Times are whole milliseconds on the session's timeline. Audio is mono s16le; 24 kHz wherever it
crosses this interface.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal, Protocol

AUDIO_RATE: Final = 24_000
GRID_MS: Final = 200
"""Transcripts and reflected audio come in cells of this length."""

CHUNK_BYTES: Final = AUDIO_RATE * 2 * GRID_MS // 1000
SILENT_CHUNK: Final = bytes(CHUNK_BYTES)
"""Passed to `output_audio` as this very object wherever the model is silent, so that its encoding
can be cached."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """One transcript delta: a word or two with the whitespace before them, and their cell."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the caller said, from the start of the speech to a pause: the whole text (lower case,
    no punctuation, "" if nothing was understood), also when its fragments are still on their way.
    """

    text: str
    start_ms: int
    end_ms: int
    is_backchannel: bool = False
    """Something short ("mm hmm", "yeah") while the model was speaking, which goes on; nothing to
    answer."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """The `audio.format` of a primary WebSocket."""

    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"] = "audio/pcm"
    rate: int = AUDIO_RATE


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """What the media need of the session and of the script."""

    session_id: str = ""
    """Its tail and shard are in the ICE username, as in recorded answers."""
    voice: str = "marin"
    data_channel: Mapping[str, Any] = field(default_factory=dict)
    """`session.client.data_channel` as it was sent; {} for an open channel."""
    idle_timeout: timedelta | None = None
    """`idle_timeout_s`; None: the session is never paused."""
    wake_threshold: float = 0.5
    """`wake_policy.vad_threshold`."""
    connect_within: timedelta = timedelta(seconds=30)
    connection_lost_after: timedelta = timedelta(seconds=30)
    """How long after the caller has gone without a close `connection_lost` is called."""
    backchannel_after: timedelta | None = timedelta(seconds=5)
    """How long the caller speaks before the model says "Mm-hm."; None: never."""
    forbidden_event_code: str = "event_not_allowed"
    """The code of the error for a client event that the data channel does not allow."""


Manner = Literal["answer", "commentary"]
"""`answer` waits until the caller has stopped speaking, `commentary` does not. Both are ended by a
caller who starts to speak over them."""


class Saying(Protocol):
    """Something that the model is saying or about to say."""

    @property
    def said(self) -> str:
        """The text whose transcript has been sent so far."""
        ...

    async def wait_for_end(self) -> bool:
        """True if it was said to its end, False if it was interrupted or cancelled."""
        ...

    def cancel(self) -> None:
        """Falls silent; what was not said is lost. Does nothing after the end."""
        ...


class Media(Protocol):
    """The media of one session, as the engine drives them."""

    @property
    def position_ms(self) -> int:
        """The present on the session's timeline, 0 at its creation."""
        ...

    @property
    def paused_ms(self) -> int:
        """How long the session has been paused in all, up to now."""
        ...

    def say(self, text: str, manner: Manner = "answer") -> Saying:
        """Says it after everything that waits already. Its first word is sent and heard within a
        second. Wakes a paused session."""
        ...

    def play_fixture(self, pcm: bytes) -> Saying:
        """Plays audio as it is (24 kHz). Meanwhile the model hears silence, and what it was saying
        is cut off."""
        ...

    def set_muted(self, muted: bool) -> None:
        """While muted, the model hears silence; the reflected audio does not change."""
        ...

    def note_activity(self) -> None:
        """Restarts the idle timer: a command, an append or backend work. Speech of either side does
        that by itself. Wakes a paused session."""
        ...

    def send_event(self, event: Mapping[str, Any]) -> bool:
        """Sends a server event to the caller's data channel if its list allows that; False if it
        was not sent. Audio events are never sent. A primary WebSocket has no data channel: False.
        """
        ...

    async def close(self) -> None:
        """Ends the media and releases them; no method of `MediaEvents` is called any more. May be
        repeated."""
        ...


class AnsweredMedia(Media, Protocol):
    """The media of a session that was created with an offer."""

    @property
    def sdp(self) -> str:
        """The answer."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether the caller has connected."""
        ...


class AppendedMedia(Media, Protocol):
    """The media of a session on a primary WebSocket."""

    def add_audio(self, audio: bytes) -> None:
        """Takes audio in the session's format and moves the timeline on by its length."""
        ...


class MediaEvents(Protocol):
    """What the media tell the engine."""

    def media_connected(self) -> None:
        """ICE, DTLS and the data channel, if one was offered, are up; `info` has been sent if the
        channel is restricted. Now `session.started` is due on it (`Media.send_event`)."""
        ...

    def receive_event(self, text: str, source: str) -> None:
        """A client event from the data channel that its list allows, or no JSON object with a
        type. `source` is "data_channel". Forbidden ones have been refused on the channel."""
        ...

    def input_audio(self, pcm: bytes) -> None:
        """The next 200 ms from the microphone, before muting: 9,600 bytes, without gaps. Not
        called by a primary WebSocket."""
        ...

    def output_audio(self, pcm: bytes, start_ms: int, end_ms: int) -> None:
        """What the model says, or silence: 200 ms at 24 kHz, possibly after a gap. A primary
        WebSocket gets 100 ms in the session's format."""
        ...

    def input_words(self, fragment: Fragment) -> None:
        """For `session.input_transcript.delta`, now."""
        ...

    def output_words(self, fragment: Fragment) -> None:
        """For `session.output_transcript.delta`, now."""
        ...

    def speech_started(self, start_ms: int) -> None:
        """The caller has started to speak."""
        ...

    def speech_ended(self, utterance: Utterance) -> None:
        """The caller has paused and has been understood. The engine decides what follows."""
        ...

    def paused(self) -> None:
        """The session was idle for too long."""
        ...

    def resumed(self) -> None:
        """The caller spoke, or the engine was active."""
        ...

    def connection_lost(self) -> None:
        """The caller has gone without a close, or never came. Called once."""
        ...
