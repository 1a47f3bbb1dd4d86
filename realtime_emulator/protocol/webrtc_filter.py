"""The events that reach the browser in a call made with `?webrtcfilter=on`.

The eleven types listed on Azure's page about the Realtime API over WebRTC. The filter applies to
the data channel, from server to browser; a sideband always gets everything.
"""

from __future__ import annotations

PASSED = frozenset(
    {
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        "conversation.item.input_audio_transcription.completed",
        "conversation.item.added",
        "conversation.item.created",
        "response.output_text.delta",
        "response.output_text.done",
        "response.output_audio_transcript.delta",
        "response.output_audio_transcript.done",
    }
)


def reaches_browser(kind: str, *, filtered: bool) -> bool:
    """Whether an event of this type reaches the browser."""
    return not filtered or kind in PASSED
