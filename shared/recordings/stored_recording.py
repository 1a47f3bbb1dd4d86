"""A recording as it is stored, for whoever plays it."""

from __future__ import annotations

from dataclasses import dataclass

from shared.recordings.recording_file import recording_name
from shared.recordings.wav import HEADER_BYTES, duration_ms, wav_header
from shared.storage.interfaces import Log


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """A call's recording as far as it was written when it was looked up. `length` is in bytes."""

    log: Log
    name: str
    length: int

    @property
    def duration_ms(self) -> int:
        """How long it plays."""
        return duration_ms(self.length)

    def read_bytes(self, start: int, stop: int) -> bytes:
        """The file's bytes from `start` to before `stop`, with a header that states its size.
        Raises StorageUnavailable."""
        header = wav_header(self.length - HEADER_BYTES)[start:stop]
        rest = max(start, HEADER_BYTES)
        if stop <= rest:
            return header
        return header + self.log.read(self.name, start=rest, size=stop - rest)


def find_recording(log: Log, call_id: str) -> StoredRecording | None:
    """The recording of a call; None if there is none. Raises StorageUnavailable."""
    name = recording_name(call_id)
    length = log.length(name)
    return StoredRecording(log, name, length) if length > HEADER_BYTES else None
