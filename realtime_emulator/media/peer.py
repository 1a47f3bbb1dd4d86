"""The service's end of one caller's WebRTC connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
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

from realtime_emulator.media.aioice_patch import confine_media
from realtime_emulator.media.aiortc_sdp import (
    imitate_live_answer,
    largest_event,
    negotiable,
    read_offer,
)
from realtime_emulator.media.loop_decoder import decode_in_loop
from realtime_emulator.media.playback import Playback, Speaker
from realtime_emulator.sdp.description import Description, OfferRefused
from realtime_emulator.speech.synthesis import Speech

__all__ = ["OfferRefused", "Peer", "Playback"]

logger = logging.getLogger(__name__)

INPUT_RATE: Final = 16_000

CODECS: Final = ("audio/opus", "audio/pcmu", "audio/pcma")
"""In the order of the live service's answers; Opus is the one used."""

TICK: Final = timedelta(milliseconds=50)
GAP: Final = 20 * TICK
"""A caller who sends no packet for this long counts as silent: a track that is removed in mid-word
must still end the turn. It is counted in ticks, because a busy machine that stalls for a second has
missed one tick and no audio: the packets arrive when it resumes."""

CONNECT_WITHIN: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class ApiMedia:
    """How the media of one API differ from those of another."""

    input_rate: int
    """Samples per second of what `on_audio` gets."""
    make_speaker: Callable[[], Speaker]
    simplify_offer: Callable[[Description], str]
    """The offer as aiortc understands it."""
    write_answer: Callable[[str, Description], str]
    """aiortc's answer as the service would write it."""
    name_ice_users: Callable[[RTCPeerConnection], None]
    """Called before candidates are gathered."""


REALTIME: Final = ApiMedia(INPUT_RATE, Speaker, negotiable, imitate_live_answer, lambda _: None)


class Peer:
    """Answers one offer and carries the call's media and events.

    The callbacks run in the event loop and must not block. What they raise is logged and goes no
    further, so that a failing handler does not end the media.
    """

    def __init__(
        self,
        *,
        on_audio: Callable[[bytes], None],
        on_message: Callable[[str], None],
        on_open: Callable[[], None],
        on_close: Callable[[], None],
        api: ApiMedia = REALTIME,
    ) -> None:
        self.sdp = ""
        self.on_audio = on_audio
        self.on_message = on_message
        self.on_open = on_open
        self.on_close = on_close
        self.ending: asyncio.Task[None] | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.channel: RTCDataChannel | None = None
        self.has_channel = False
        self.largest_event = 0
        """How many bytes an event for the caller may have."""
        self.api = api
        self.speaker = api.make_speaker()
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.transceiver: RTCRtpTransceiver = self.connection.addTransceiver(self.speaker)
        self.transceiver.setCodecPreferences(preferred_codecs())
        decode_in_loop(self.transceiver.receiver)
        self.connection.on("datachannel", self.handle_channel)
        self.connection.on("track", self.handle_track)
        self.connection.on("connectionstatechange", self.handle_state_change)

    @classmethod
    async def answer(
        cls,
        offer: str,
        *,
        on_audio: Callable[[bytes], None],
        on_message: Callable[[str], None],
        on_open: Callable[[], None],
        on_close: Callable[[], None],
        connect_within: timedelta = CONNECT_WITHIN,
        api: ApiMedia = REALTIME,
    ) -> Peer:
        """Answers a browser's offer. Raises OfferRefused.

        `on_audio` gets the caller's audio, mono s16le at the `input_rate` of `api`, in pieces of
        about 20 ms; `on_message` each text from the data channel, whatever its label; `on_open` is
        called when that channel opens; `on_close` exactly once, whoever ended the call, and also if
        the caller does not connect in time.
        """
        checked = read_offer(offer)
        confine_media()
        peer = cls(
            on_audio=on_audio, on_message=on_message, on_open=on_open, on_close=on_close, api=api
        )
        try:
            await peer.negotiate(checked)
        except BaseException as error:
            peer.on_close = ignore_close
            with suppress(Exception):  # a half-built connection may fail to close cleanly
                await peer.close()
            if isinstance(error, Exception):
                # aiortc's parser lets any exception escape that a malformed line causes in it.
                raise OfferRefused(
                    str(error) if isinstance(error, ValueError) else "malformed"
                ) from error
            raise
        peer.spawn(peer.close_unless_connected(connect_within))
        return peer

    def send_event(self, text: str) -> bool:
        """Sends over the data channel; False if it is not open."""
        if self.channel is None or self.channel.readyState != "open":
            return False
        self.channel.send(text)
        return True

    async def flush(self, within: timedelta) -> None:
        """Waits until the events so far have left, but no longer than that."""
        channel = self.channel
        if channel is None or channel.readyState != "open" or not channel.bufferedAmount:
            return
        empty = asyncio.Event()
        channel.on("bufferedamountlow", empty.set)
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await empty.wait()

    def play(self, speech: Speech) -> Playback:
        """Starts playing now, stopping any current playback. Silence is sent in between."""
        playback = self.speaker.play(speech)
        if self.ending is not None:
            playback.stop()
        return playback

    async def close(self) -> None:
        """Ends the call and waits until everything is released. May be repeated."""
        await asyncio.shield(self.end_call())

    async def negotiate(self, offer: Description) -> None:
        self.has_channel = offer.find_medium("application") is not None
        self.largest_event = largest_event(offer)
        remote = RTCSessionDescription(self.api.simplify_offer(offer), "offer")
        await self.connection.setRemoteDescription(remote)
        for transceiver in self.connection.getTransceivers():
            if transceiver is not self.transceiver:
                transceiver.direction = "inactive"
        self.api.name_ice_users(self.connection)
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        self.sdp = self.api.write_answer(self.connection.localDescription.sdp, offer)
        if self.transceiver.currentDirection not in ("sendonly", "sendrecv"):
            self.spawn(drain_speaker(self.speaker))

    def end_call(self) -> asyncio.Task[None]:
        if self.ending is None:
            self.ending = asyncio.ensure_future(self.release_media())
            self.speaker.stop_playback()
            call_guarded(self.on_close)
        return self.ending

    async def release_media(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.speaker.stop()
        await self.connection.close()

    def handle_state_change(self) -> None:
        state = self.connection.connectionState
        if state in ("closed", "failed"):
            self.end_call()
        elif state == "connected" and not self.has_channel:
            # A caller without a data channel only speaks and listens.
            call_guarded(self.on_open)

    def handle_channel(self, channel: RTCDataChannel) -> None:
        # The live service uses the caller's first channel for events, whatever its label.
        if self.channel is not None or self.ending is not None:
            return
        self.channel = channel
        channel.on("message", self.handle_message)
        call_guarded(self.on_open)

    def handle_message(self, data: str | bytes) -> None:
        if self.ending is None:
            text = data if isinstance(data, str) else data.decode("utf-8", "replace")
            call_guarded(self.on_message, text)

    def handle_track(self, track: MediaStreamTrack) -> None:
        if track is self.transceiver.receiver.track:
            self.spawn(receive_audio(track, self.on_audio, self.api.input_rate))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def close_unless_connected(self, within: timedelta) -> None:
        await asyncio.sleep(within.total_seconds())
        if self.connection.connectionState != "connected":
            self.end_call()


async def receive_audio(
    track: MediaStreamTrack, on_audio: Callable[[bytes], None], rate: int
) -> None:
    """Passes a track's audio on at that rate until the track ends."""
    resampler = AudioResampler(format="s16", layout="mono", rate=rate)
    silence = bytes(2 * round(GAP.total_seconds() * rate))
    has_audio = False
    missed = 0
    while True:
        try:
            async with asyncio.timeout(TICK.total_seconds()):
                frame = await track.recv()
        except MediaStreamError:
            return
        except TimeoutError:
            missed += 1
            if has_audio and missed * TICK >= GAP:
                missed = 0
                call_guarded(on_audio, silence)
            continue
        has_audio = True
        missed = 0
        assert isinstance(frame, AudioFrame)
        for part in resampler.resample(frame):
            call_guarded(on_audio, bytes(part.planes[0])[: 2 * part.samples])


async def drain_speaker(speaker: Speaker) -> None:
    """Keeps playback advancing where the caller's offer receives no audio."""
    while True:
        await speaker.recv()


def preferred_codecs() -> list[Any]:
    """Those of `CODECS` that aiortc supports, in that order."""
    known = RTCRtpSender.getCapabilities("audio").codecs
    return [codec for mime in CODECS for codec in known if codec.mimeType.lower() == mime]


def call_guarded(callback: Callable[..., None], *args: Any) -> None:
    """Calls the callback and logs what it raises."""
    try:
        callback(*args)
    except Exception:
        logger.exception("a callback of the call raised")


def ignore_close() -> None:
    """Replaces `on_close` for a call that never began."""
