"""What a call made with `?webrtcfilter=on` lets through to the browser.

The eleven names of Azure's page on the Realtime API over WebRTC. The filter works on the data
channel, from server to browser; a sideband always gets everything.
"""

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


def passes(kind: str, *, filtered: bool) -> bool:
    """Whether an event of this type reaches the browser."""
    return not filtered or kind in PASSED
