"""An emulator in this process whose media make no sound, for replaying a recording to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from aiohttp import ClientSession

from realtime_emulator.app import BASE, make_app
from realtime_emulator.call.services import Lazy, Services
from realtime_emulator.call.stand_ins import StandInPeer, StandInRecogniser, StandInVoice
from realtime_emulator.live.live_routes import BASE as LIVE_BASE
from realtime_emulator.live.stand_in_media import StandInMediaFactory
from realtime_emulator.protocol.ids import Provider
from realtime_emulator.recordings.format import Line
from realtime_emulator.script.script import Script
from realtime_emulator.serving.application import Runner
from realtime_emulator.serving.server import LOOPBACK, listen

BEARER: Final = {"Authorization": "Bearer any-key"}
OFFER: Final = "v=0\r\n"
PATIENCE: Final = timedelta(seconds=20)
"""How long an event is waited for."""
OnEvent = Callable[[Line], object]
"""Gets what the emulator sends while a recording is replayed."""


@dataclass(slots=True)
class Stage:
    """The emulator over HTTP, and the media of its calls."""

    provider: Provider
    url: str
    http: ClientSession
    peers: list[StandInPeer] = field(default_factory=list)
    media: StandInMediaFactory = field(default_factory=lambda: StandInMediaFactory(runs=False))

    @property
    def realtime(self) -> str:
        return self.url + BASE[self.provider]

    @property
    def live(self) -> str:
        return self.url + LIVE_BASE[self.provider]

    async def answer_offer(self, offer: str, **callbacks: Any) -> Any:
        self.peers.append(StandInPeer(offer, **callbacks))
        return self.peers[-1]


@asynccontextmanager
async def staged(
    provider: Provider, script: dict[str, Any], heard: tuple[str, ...] = ()
) -> AsyncIterator[Stage]:
    """An emulator with this script. Its ears understand `heard`, an entry a turn."""
    async with ClientSession() as http:
        stage = Stage(provider, "", http)
        services = Services(
            provider,
            Script(script),
            answer=stage.answer_offer,
            voice=Lazy.ready(StandInVoice()),
            recogniser=Lazy.ready(StandInRecogniser(*heard)),
        )
        app = make_app(services=services, live_media=stage.media.factory)
        runner = Runner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            stage.url = await listen(runner, LOOPBACK, 0)
            yield stage
        finally:
            await runner.cleanup()
