"""A caller made of aiortc, in the same process as the peer under test."""

from __future__ import annotations

import array
import asyncio
import math
from collections.abc import Callable
from fractions import Fraction
from types import TracebackType

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, AudioResampler

from realtime_emulator.media.aioice_patch import confine_media
from realtime_emulator.media.peer import Peer
from tests.support.patience import PATIENCE

RATE = 48_000
FRAME = RATE // 50


def tone(seconds: float, amplitude: int = 8000, pitch: float = 440) -> bytes:
    """Mono s16le at 48 kHz."""
    step = 2 * math.pi * pitch / RATE
    return array.array(
        "h", (round(amplitude * math.sin(step * n)) for n in range(round(seconds * RATE)))
    ).tobytes()


def loudness(pcm: bytes | bytearray) -> float:
    """Root mean square of s16 samples."""
    samples = array.array("h", pcm)
    return math.sqrt(sum(s * s for s in samples) / len(samples)) if samples else 0.0


class Until:
    """Waits for a condition that callbacks change, without polling."""

    def __init__(self) -> None:
        self.change = asyncio.Event()

    def changed(self) -> None:
        self.change.set()

    async def until(self, condition: Callable[[], object], within: float = PATIENCE) -> None:
        async with asyncio.timeout(within):
            while not condition():
                self.change.clear()
                await self.change.wait()


class Microphone(MediaStreamTrack):
    """Repeats a second of sound, in real time, until it is muted."""

    kind = "audio"

    def __init__(self, pcm: bytes) -> None:
        super().__init__()
        self.pcm = pcm
        self.frames = 0
        self.started_at = 0.0
        self.muted = False

    async def recv(self) -> AudioFrame:
        if self.muted:
            await asyncio.Event().wait()
        now = asyncio.get_running_loop().time()
        self.started_at = self.started_at or now
        await asyncio.sleep(max(0.0, self.started_at + self.frames / 50 - now))
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME)
        offset = self.frames * 2 * FRAME % len(self.pcm)
        frame.planes[0].update(self.pcm[offset : offset + 2 * FRAME])
        frame.sample_rate = RATE
        frame.pts = self.frames * FRAME
        frame.time_base = Fraction(1, RATE)
        self.frames += 1
        return frame


class Caller(Until):
    """Calls a Peer and keeps what either side received."""

    def __init__(
        self,
        *,
        label: str | None = "oai-events",
        direction: str = "sendrecv",
        video: bool = False,
        rewrite: Callable[[str], str] = str,
    ) -> None:
        """`rewrite` changes the offer on its way; without a `label` there is no data channel."""
        super().__init__()
        confine_media()
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.microphone = Microphone(tone(1))
        self.connection.addTransceiver(
            "audio" if direction == "recvonly" else self.microphone, direction=direction
        )
        if video:
            self.connection.addTransceiver("video")
        self.rewrite = rewrite
        self.channel: RTCDataChannel | None = None
        if label is not None:
            self.channel = self.connection.createDataChannel(label)
            self.channel.on("message", self.handle_message)
            self.channel.on("close", self.changed)
        self.connection.on("track", self.handle_track)
        self.messages: list[str] = []
        self.received = bytearray()
        """What the caller hears, mono at 48 kHz."""
        self.heard = bytearray()
        """What the peer hears, mono at 16 kHz."""
        self.chunks: list[int] = []
        self.told: list[str] = []
        self.opened = 0
        self.closed = 0
        self.peer: Peer
        self.listening: asyncio.Task[None] | None = None

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.rewrite(self.connection.localDescription.sdp)

    async def call(self) -> Peer:
        """Connects; returns the peer once the data channel, if there is one, is open on both
        sides."""
        self.peer = await Peer.answer(
            await self.offer(),
            on_audio=self.handle_audio,
            on_message=self.handle_event,
            on_open=self.handle_open,
            on_close=self.handle_close,
        )
        await self.connection.setRemoteDescription(RTCSessionDescription(self.peer.sdp, "answer"))
        if self.channel is not None:
            self.channel.on("open", self.changed)
        await self.until(lambda: self.opened and self.channel_state in (None, "open"))
        return self.peer

    @property
    def channel_state(self) -> str | None:
        return self.channel.readyState if self.channel is not None else None

    def send(self, text: str) -> None:
        assert self.channel is not None
        self.channel.send(text)

    async def hang_up(self) -> None:
        await self.connection.close()
        if self.listening is not None:
            self.listening.cancel()
            await asyncio.wait([self.listening])

    async def __aenter__(self) -> Caller:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.hang_up()
        if hasattr(self, "peer"):
            await self.peer.close()

    def handle_audio(self, pcm: bytes) -> None:
        self.chunks.append(len(pcm))
        self.heard += pcm
        self.changed()

    def handle_event(self, text: str) -> None:
        self.told.append(text)
        self.changed()
        if text == "fail":
            raise LookupError("on purpose")

    def handle_open(self) -> None:
        self.opened += 1
        self.changed()

    def handle_close(self) -> None:
        self.closed += 1
        self.changed()

    def handle_message(self, text: str) -> None:
        self.messages.append(text)
        self.changed()

    def handle_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio":
            self.listening = asyncio.ensure_future(self.listen(track))

    async def listen(self, track: MediaStreamTrack) -> None:
        mono = AudioResampler(format="s16", layout="mono", rate=RATE)
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, AudioFrame)
            for part in mono.resample(frame):
                self.received += bytes(part.planes[0])[: 2 * part.samples]
            self.changed()
