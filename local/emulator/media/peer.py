"""One caller's WebRTC connection, as the Realtime API's end of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, AudioResampler

from local.emulator.media.aioice_patch import confine_media
from local.emulator.media.playback import Playback, Speaker
from local.emulator.media.sdp import OfferRefused, checked_offer, dressed_answer
from local.emulator.speech.synthesis import Speech

__all__ = ["OfferRefused", "Peer", "Playback"]

logger = logging.getLogger(__name__)

HEARING_RATE: Final = 16_000

CODECS: Final = ("audio/opus", "audio/pcmu", "audio/pcma")
"""In the order of the live service's answers; Opus is what is used."""

TICK: Final = timedelta(milliseconds=50)
GAP: Final = 20 * TICK
"""After this long without a packet the caller counts as silent: a track that was taken away in
the middle of a word must still end the turn. It is counted in ticks, because a busy machine that
stalls for a second has missed one tick and no audio: the packets come when it goes on."""

CONNECT_WITHIN: Final = timedelta(seconds=30)


class Peer:
    """Answers one offer and carries the call.

    The callbacks run in the event loop and must not block. What they raise is logged and goes no
    further, so that a fault in one event does not end the media.
    """

    def __init__(
        self,
        *,
        hear: Callable[[bytes], None],
        message: Callable[[str], None],
        opened: Callable[[], None],
        closed: Callable[[], None],
    ) -> None:
        self.sdp = ""
        self._hear = hear
        self._message = message
        self._opened = opened
        self._closed = closed
        self._ending: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._channel: RTCDataChannel | None = None
        self._speaker = Speaker()
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._transceiver: RTCRtpTransceiver = self._connection.addTransceiver(self._speaker)
        self._transceiver.setCodecPreferences(preferred_codecs())
        self._connection.on("datachannel", self._on_channel)
        self._connection.on("track", self._on_track)
        self._connection.on("connectionstatechange", self._on_state)

    @classmethod
    async def answer(
        cls,
        offer: str,
        *,
        hear: Callable[[bytes], None],
        message: Callable[[str], None],
        opened: Callable[[], None],
        closed: Callable[[], None],
        connect_within: timedelta = CONNECT_WITHIN,
    ) -> Peer:
        """Takes a browser's offer and what to do on what happens. Raises OfferRefused.

        `hear` gets the caller's audio, 16 kHz mono s16le, about 20 ms a time; `message` the text
        that comes over the data channel, whatever its label; `opened` says that this channel is
        open; `closed` comes exactly once, whoever ended the call, and also if the caller does not
        connect in time.
        """
        checked = checked_offer(offer)
        confine_media()
        peer = cls(hear=hear, message=message, opened=opened, closed=closed)
        try:
            await peer._negotiate(checked)
        except BaseException as error:
            peer._closed = nothing
            with suppress(Exception):  # what is half built may not come down in order either
                await peer.close()
            if isinstance(error, Exception):
                # aiortc's parser raises whatever a malformed line makes its code trip over.
                reason = str(error) if isinstance(error, ValueError) else "malformed"
                raise OfferRefused(f"failed to parse offer: {reason}") from error
            raise
        peer._start(peer._expect_connection(connect_within))
        return peer

    def send(self, text: str) -> bool:
        """Sends over the data channel; False if it is not open."""
        if self._channel is None or self._channel.readyState != "open":
            return False
        self._channel.send(text)
        return True

    def play(self, speech: Speech) -> Playback:
        """Starts now; what was playing is stopped. Silence is sent when nothing plays."""
        playback = self._speaker.play(speech)
        if self._ending is not None:
            playback.stop()
        return playback

    async def close(self) -> None:
        """Ends the call; again: waits for the same end."""
        await asyncio.shield(self._end())

    async def _negotiate(self, offer: str) -> None:
        await self._connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        for transceiver in self._connection.getTransceivers():
            if transceiver is not self._transceiver:
                transceiver.direction = "inactive"
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        self.sdp = dressed_answer(self._connection.localDescription.sdp)
        if self._transceiver.currentDirection not in ("sendonly", "sendrecv"):
            self._start(self._speak_unheard())

    def _end(self) -> asyncio.Task[None]:
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._finish())
            self._speaker.silence()
            guarded(self._closed)
        return self._ending

    async def _finish(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._speaker.stop()
        await self._connection.close()

    def _on_state(self) -> None:
        state = self._connection.connectionState
        if state in ("closed", "failed"):
            self._end()

    def _on_channel(self, channel: RTCDataChannel) -> None:
        # The live service's events go over the caller's first channel, whatever it is called.
        if self._channel is not None or self._ending is not None:
            return
        self._channel = channel
        channel.on("message", self._on_message)
        guarded(self._opened)

    def _on_message(self, data: str | bytes) -> None:
        if self._ending is None:
            text = data if isinstance(data, str) else data.decode("utf-8", "replace")
            guarded(self._message, text)

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track is self._transceiver.receiver.track:
            self._start(self._listen(track))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, track: MediaStreamTrack) -> None:
        resampler = AudioResampler(format="s16", layout="mono", rate=HEARING_RATE)
        silence = bytes(2 * round(GAP.total_seconds() * HEARING_RATE))
        heard = False
        missed = 0
        while True:
            try:
                async with asyncio.timeout(TICK.total_seconds()):
                    frame = await track.recv()
            except MediaStreamError:
                return
            except TimeoutError:
                missed += 1
                if heard and missed * TICK >= GAP:
                    missed = 0
                    guarded(self._hear, silence)
                continue
            heard = True
            missed = 0
            assert isinstance(frame, AudioFrame)
            for part in resampler.resample(frame):
                guarded(self._hear, bytes(part.planes[0])[: 2 * part.samples])

    async def _expect_connection(self, within: timedelta) -> None:
        await asyncio.sleep(within.total_seconds())
        if self._connection.connectionState != "connected":
            self._end()

    async def _speak_unheard(self) -> None:
        """Lets playback take its time where the caller's offer receives no audio."""
        while True:
            await self._speaker.recv()


def preferred_codecs() -> list[Any]:
    """What aiortc can do of `CODECS`, in that order."""
    known = RTCRtpSender.getCapabilities("audio").codecs
    return [codec for mime in CODECS for codec in known if codec.mimeType.lower() == mime]


def guarded(callback: Callable[..., None], *args: Any) -> None:
    """Calls, and logs what is raised."""
    try:
        callback(*args)
    except Exception:
        logger.exception("a callback of the call failed")


def nothing() -> None:
    """No one is told of the end of a call that did not begin."""
