"""The sideband of the Live API: the WebSocket on which the server follows a call.

We rely on this (recorded traffic and OpenAI's documents): the same credential as at the creation;
everything is on it that the page's data channel may be denied, and the audio of both sides; the
last seconds are replayed at an attach.
"""

from __future__ import annotations

from shared.live.session_ids import SESSION_GONE, session_path
from shared.sideband.contract import ReadFrame, SidebandContract


def suffix(session_id: str) -> str:
    return f"{session_path(session_id)}/attach?graceful_close=true"


def frame_reader() -> ReadFrame:
    from shared.live.plain_frames import read_plain_frame

    return read_plain_frame


LIVE_SIDEBAND = SidebandContract(suffix, SESSION_GONE, frame_reader)
"""For a connector whose base is that of `/live`."""
