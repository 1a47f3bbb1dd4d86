"""`realtime-emulator drift`: does the emulator still do what the real API was recorded doing?"""

from __future__ import annotations

from realtime_emulator.recordings.call_replay import replay_call
from realtime_emulator.recordings.comparison import Comparison
from realtime_emulator.recordings.format import Recording
from realtime_emulator.recordings.http_replay import replay_http
from realtime_emulator.recordings.live_replay import replay_live
from realtime_emulator.recordings.stage import OnEvent


async def replay(recording: Recording, on_event: OnEvent = lambda _: None) -> Comparison:
    """Replays a recording to an emulator of its provider, and compares. Raises ValueError if the
    emulator cannot begin with it."""
    if recording.kind == "http":
        return await replay_http(recording, on_event)
    if not recording.frames:
        return Comparison(recording.name)
    if recording.api == "live":
        return await replay_live(recording, on_event)
    return await replay_call(recording, on_event)
