"""The header of a file whose length nobody knows yet, and of one that is finished."""

from __future__ import annotations

import io
import wave

import pytest

from shared.recordings.wav import HEADER_BYTES, duration_ms, wav_header
from tests.support.live_call_audio import read_wav


def test_a_file_without_a_known_length_is_played_to_its_end() -> None:
    samples = bytes(range(1, 241)) * 4
    assert read_wav(wav_header() + samples) == samples


def test_a_finished_file_states_its_length() -> None:
    header = wav_header(96_000)
    assert len(header) == HEADER_BYTES
    with wave.open(io.BytesIO(header + bytes(96_000))) as file:
        assert file.getnframes() == 24_000


@pytest.mark.parametrize(("size", "lasts"), [(0, 0), (44, 0), (44 + 96, 1), (44 + 96_000, 1000)])
def test_how_long_a_file_plays(size: int, lasts: int) -> None:
    assert duration_ms(size) == lasts


def test_more_than_the_format_can_state_is_unknown() -> None:
    assert wav_header(0xFFFFFFFF) == wav_header()
