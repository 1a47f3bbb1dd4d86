"""A caller without a browser: an aiortc peer with a microphone, a speaker and a data channel.

    caller = Caller(speech)                  # 16-bit mono PCM to say, or None for silence
    offer = await caller.offer()             # for any endpoint that replies with an SDP answer
    await caller.accept(answer)              # connects
    event = await caller.expect("response.done")
    caller.say(pcm, rate=48_000)             # speak into the microphone, now
    caller.send_event({"type": "response.create"})
    caller.energy                            # of the audio received: > 0 once something was heard
    await caller.close()

`expect` consumes events in the order in which they arrive, so a test reads like the conversation;
`events` keeps them all.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, Packet

from realtime_emulator.media.aioice_patch import confine_media
from realtime_emulator.media.loop_decoder import decode_in_loop
from realtime_emulator.media.opus import FRAME_SAMPLES, Encoder
from realtime_emulator.speech.synthesis import RATE

PATIENCE = 60.0
"""Seconds for what must happen. Only what hangs takes that long, even on a busy machine."""
FRAME_BYTES = 2 * FRAME_SAMPLES
NOISE = bytes([3, 0, 253, 255] * (FRAME_SAMPLES // 2))


class Microphone(MediaStreamTrack):
    """Sends what it is given in real time, and faint noise otherwise."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.pending = bytearray()
        self.frames = 0
        self.started: float | None = None
        self.spoken = asyncio.Event()
        self.encoder: Encoder | None = Encoder(NOISE)

    def say(self, pcm: bytes, rate: int) -> None:
        assert RATE % rate == 0, "a rate that divides 48000"
        repeat = RATE // rate
        if repeat > 1:
            pcm = b"".join(pcm[i : i + 2] * repeat for i in range(0, len(pcm), 2))
        self.spoken.clear()
        self.pending += pcm

    def stop(self) -> None:
        """Ends the track. Frees the encoder, because it has threads."""
        super().stop()
        self.encoder = None

    async def recv(self) -> Packet[Any]:
        loop = asyncio.get_running_loop()
        if self.started is None:
            self.started = loop.time()
        await asyncio.sleep(max(0.0, self.started + self.frames * 0.02 - loop.time()))
        if self.encoder is None:
            raise MediaStreamError
        pcm = bytes(self.pending[:FRAME_BYTES])
        del self.pending[:FRAME_BYTES]
        if not self.pending:
            self.spoken.set()
        self.frames += 1
        return self.encoder.encode_frame((pcm + NOISE)[:FRAME_BYTES] if pcm else None)


class Caller:
    """One caller and everything sent to it. `is_local`: its media stays on this machine."""

    def __init__(
        self, speech: bytes | None = None, rate: int = RATE, *, is_local: bool = True
    ) -> None:
        if is_local:
            confine_media()
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.microphone = Microphone()
        if speech:
            self.microphone.say(speech, rate)
        self.connection.addTrack(self.microphone)
        decode_in_loop(self.connection.getTransceivers()[0].receiver)
        self.channel = self.connection.createDataChannel("oai-events")
        self.channel.on("message", self.handle_message)
        self.channel.on("open", self.handle_open)
        self.channel.on("close", self.handle_close)
        self.connection.on("track", self.handle_track)
        self.open = asyncio.Event()
        self.closed = asyncio.Event()
        self.news = asyncio.Event()
        self.events: list[dict[str, Any]] = []
        self.read = 0
        self.energy = 0.0
        self.tasks: set[asyncio.Task[None]] = set()

    async def offer(self) -> str:
        """An offer with a microphone and a data channel."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def accept(self, answer: str, timeout: float = PATIENCE) -> None:
        """Applies the answer; returns when the data channel is open."""
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        async with asyncio.timeout(timeout):
            await self.open.wait()

    def send_event(self, event: dict[str, Any]) -> None:
        """Sends a client event over the data channel."""
        self.channel.send(json.dumps(event))

    def say(self, pcm: bytes, rate: int = RATE) -> None:
        """Speaks; `microphone.spoken` is set when all of it has been sent."""
        self.microphone.say(pcm, rate)

    async def expect(self, *kinds: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """The next event of one of these types; others are skipped."""
        async with asyncio.timeout(timeout):
            while True:
                while self.read < len(self.events):
                    event = self.events[self.read]
                    self.read += 1
                    if event["type"] in kinds:
                        return event
                self.news.clear()
                await self.news.wait()

    def types(self) -> list[str]:
        """The types of all events so far."""
        return [event["type"] for event in self.events]

    async def close(self) -> None:
        """Hangs up."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.microphone.stop()
        await self.connection.close()

    async def __aenter__(self) -> Caller:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def handle_message(self, message: str | bytes) -> None:
        self.events.append(json.loads(message))
        self.news.set()

    def handle_open(self) -> None:
        self.open.set()

    def handle_close(self) -> None:
        self.closed.set()

    def handle_track(self, track: MediaStreamTrack) -> None:
        task = asyncio.ensure_future(self.listen(track))
        self.tasks.add(task)

    async def listen(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, AudioFrame)
            samples = memoryview(bytes(frame.planes[0])).cast("h")[::50]
            self.energy += sum((sample / 32768) ** 2 for sample in samples)
