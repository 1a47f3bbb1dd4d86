"""Received audio, decoded in the event loop.

aiortc hands each packet to a thread, which hands each frame back as a task: several times what it
takes to decode 20 ms of Opus.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any, Final

from aiortc import RTCRtpReceiver
from aiortc.codecs import get_decoder
from av import FFmpegError

logger = logging.getLogger(__name__)

QUEUE: Final = "_RTCRtpReceiver__decoder_queue"


class LoopDecoder:
    """In place of the queue of a receiver's decoding thread, which has nothing to do until the
    end."""

    def __init__(self, receiver: RTCRtpReceiver) -> None:
        self.receiver = receiver
        self.codec = ""
        self.decoder: Any = None
        self.ended = threading.Event()

    def put(self, received: tuple[Any, Any] | None) -> None:
        """Decodes a frame of that codec, for the track; None ends it."""
        if received is None:
            self.ended.set()
            return
        codec, frame = received
        if codec.name != self.codec:
            self.codec, self.decoder = codec.name, get_decoder(codec)
        try:
            decoded = self.decoder.decode(frame)
        except FFmpegError as error:
            logger.warning("cannot decode a frame of %s: %s", codec.name, error)
            return
        track: Any = self.receiver.track
        frames: asyncio.Queue[Any] = track._queue
        for each in decoded:
            frames.put_nowait(each)

    def get(self) -> None:
        self.ended.wait()


def decode_in_loop(receiver: RTCRtpReceiver) -> None:
    """Has a receiver of audio that has not begun yet decode in the event loop."""
    assert hasattr(receiver, QUEUE)
    setattr(receiver, QUEUE, LoopDecoder(receiver))
