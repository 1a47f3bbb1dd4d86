"""The format of a recording: a WAV file of two channels that has no end until it is read. Pure.

16-bit PCM at 24 kHz, as the sideband reflects it: the caller on the left, the model on the right.
The stored header states the largest size that there is, which players take for "until the file
ends", because an append blob cannot be changed where it begins. Whoever gets the file from us gets
the header of its size.
"""

from __future__ import annotations

import struct

RATE = 24_000
SAMPLES_PER_MS = RATE // 1000
SAMPLE_BYTES = 2
BLOCK_BYTES = 2 * SAMPLE_BYTES
"""One sample of each channel."""
BYTES_PER_SECOND = RATE * BLOCK_BYTES
CONTENT_TYPE = "audio/wav"
UNKNOWN_SIZE = 0xFFFFFFFF
HEADER_BYTES = 44


def wav_header(data_bytes: int | None = None) -> bytes:
    """The header of a file with that many bytes of samples; None: nobody knows yet."""
    known = data_bytes is not None and data_bytes + HEADER_BYTES - 8 < UNKNOWN_SIZE
    size = data_bytes if data_bytes is not None and known else UNKNOWN_SIZE
    form = size + HEADER_BYTES - 8 if known else UNKNOWN_SIZE
    described = struct.pack("<IHHIIHH", 16, 1, 2, RATE, BYTES_PER_SECOND, BLOCK_BYTES, 16)
    return (
        struct.pack("<4sI4s4s", b"RIFF", form, b"WAVE", b"fmt ")
        + described
        + struct.pack("<4sI", b"data", size)
    )


def duration_ms(file_bytes: int) -> int:
    """How long a file of that size plays."""
    return max(0, file_bytes - HEADER_BYTES) * 1000 // BYTES_PER_SECOND
