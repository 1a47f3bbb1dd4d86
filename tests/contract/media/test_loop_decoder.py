"""Received packets are decoded where they arrive, and what is no audio costs only itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack

from realtime_emulator.media.loop_decoder import LoopDecoder
from realtime_emulator.media.opus import Encoder

OPUS = RTCRtpCodecParameters("audio/opus", clockRate=48_000, channels=2, payloadType=96)


async def test_a_packet_that_is_no_audio_is_said_and_the_next_is_heard(
    caplog: pytest.LogCaptureFixture,
) -> None:
    track = RemoteStreamTrack(kind="audio")
    receiver: Any = SimpleNamespace(track=track)
    decoder, encoder = LoopDecoder(receiver), Encoder()
    decoder.put((OPUS, JitterFrame(data=b"\xff\xff\xff\xff", timestamp=0)))
    assert "cannot decode a frame of opus" in caplog.text
    for timestamp in (960, 1920):
        data = bytes(encoder.encode_frame(None))
        decoder.put((OPUS, JitterFrame(data=data, timestamp=timestamp)))
    frame: Any = await track.recv()
    assert frame.sample_rate == 48_000
    decoder.put(None)
    assert decoder.get() is None  # type: ignore[func-returns-value]
