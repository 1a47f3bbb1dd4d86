"""The file of one call's recording: where it is, that it is begun once, and that one which has been
deleted is not begun again.

It lies beside the call's transcript and under the same retention. Whoever deletes it first leaves a
mark that nothing more may be recorded of the call; whoever begins a file looks for the mark before
and after, so that neither can miss the other. Everything here blocks and may raise
StorageUnavailable.
"""

from __future__ import annotations

from shared.recordings.wav import BLOCK_BYTES, HEADER_BYTES, wav_header
from shared.storage.interfaces import APPEND_BYTES, Conflict, Log

DELETED_MARK = b"deleted\n"
MOST_BYTES = (APPEND_BYTES - HEADER_BYTES) // BLOCK_BYTES * BLOCK_BYTES
"""Of one append: 43 seconds."""


def recording_name(call_id: str) -> str:
    """The name of a call's recording, in the container of the transcripts."""
    return f"{call_id}.wav"


def mark_name(call_id: str) -> str:
    """The name of the mark that a call is not recorded any more."""
    return f"{call_id}.deleted"


class RecordingDeleted(Exception):
    """The recording has been deleted: nothing more is recorded of this call."""


class RecordingFile:
    """Appends to a call's recording at a position that it names, so that two writers cannot mix."""

    def __init__(self, log: Log, call_id: str) -> None:
        self.log = log
        self.call_id = call_id
        self.name = recording_name(call_id)
        self.position = 0

    def open(self) -> int:
        """How many bytes of samples there are. Raises RecordingDeleted."""
        length = self.check_deleted()
        if not length and self.is_deleted():
            raise RecordingDeleted
        self.position = length
        return max(0, length - HEADER_BYTES)

    def append_samples(self, samples: bytes) -> None:
        """Appends up to MOST_BYTES of samples, after the header if they are the first. The same
        again changes nothing. Raises Conflict if there is something else, RecordingDeleted,
        LogFull."""
        first = not self.position
        data = wav_header() + samples if first else samples
        try:
            self.position = self.log.append(self.name, data, at=self.position)
        except Conflict:
            self.check_deleted()
            raise
        if first and self.is_deleted():
            # Deleted before it was begun, by somebody who found nothing to delete.
            self.log.delete(self.name)
            raise RecordingDeleted

    def check_deleted(self) -> int:
        """The length of the file. Raises RecordingDeleted if it has been longer, and leaves the
        mark, which nobody has who deletes a blob by hand."""
        length = self.log.length(self.name)
        if length < self.position:
            mark_deleted(self.log, self.call_id)
            raise RecordingDeleted
        return length

    def is_deleted(self) -> bool:
        return self.log.length(mark_name(self.call_id)) > 0


def mark_deleted(log: Log, call_id: str) -> None:
    log.append(mark_name(call_id), DELETED_MARK, at=0)


def delete_recording(log: Log, call_id: str, *, for_good: bool) -> None:
    """Deletes a call's recording. `for_good`: the call may go on, and is not recorded any more.
    Idempotent."""
    if for_good:
        mark_deleted(log, call_id)
    log.delete(recording_name(call_id))
