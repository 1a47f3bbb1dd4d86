"""Keeps the audio that a Live call's sideband reflects, where calls are recorded."""

from __future__ import annotations

from shared.live.frames import MODEL, AudioFrame
from shared.observer.conversation import RunParts
from shared.observer.live.recorder import LiveRecorder
from shared.recordings.call_recording import CallRecording, RecordedCall, record_periodically


class VoiceRecorder:
    """Both voices of one call, for as long as a run follows it. Without recording it does
    nothing."""

    def __init__(self, parts: RunParts, recorder: LiveRecorder) -> None:
        self.parts = parts
        self.recording = open_recording(parts, recorder)
        self.is_writing = False

    def connected(self) -> None:
        """There is a connection, the first one or another."""
        if self.recording is None:
            return
        if self.is_writing:
            # What is sent again of the events is not sent again of the audio.
            self.recording.note_gap("reconnected")
        else:
            self.is_writing = True
            self.parts.background.start_task(self.write(self.recording))

    def add(self, frame: AudioFrame) -> None:
        """Takes a frame, undecoded."""
        if self.recording is None:
            return
        late = self.parts.connection.late
        if frame.direction == MODEL:
            self.recording.add_model(frame, frame.start_ms, late)
        else:
            self.recording.add_caller(frame, late)

    async def write(self, recording: CallRecording) -> None:
        """Writes the audio as it comes, until the run ends."""
        timing, still_ours = self.parts.timing, self.parts.lease.renew
        await record_periodically(
            recording, still_ours, timing.write_audio_every, timing.storage_retry
        )

    async def close(self) -> None:
        """Writes what is left."""
        if self.recording is not None:
            await self.recording.close(self.parts.lease.renew)


def open_recording(parts: RunParts, recorder: LiveRecorder) -> CallRecording | None:
    """The recording of both voices, where calls are recorded."""
    call, dependencies = parts.call, parts.dependencies
    if not (dependencies.records_audio and call.recorded):
        return None
    return CallRecording(
        dependencies.log,
        RecordedCall(call.call_id, call.started_at, call.record_id),
        recorder.add_line,
        dependencies.clock,
        dependencies.executor,
    )
