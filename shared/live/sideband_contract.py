"""The sideband of the Live API: the WebSocket on which the server follows a session.

We rely on this, from recorded traffic and measurements: it can be dialled as soon as the session is
created, by the project that created it; a session that is over, or that never was, answers 404 with
a code of its own; it begins with the events of the last few seconds once more, under the ids that
they had; everything is on it that the page's data channel may be denied, and the audio of both
sides, which cannot be switched off. The end of a session need not close it: a closing handshake has
to be asked for.
"""

from __future__ import annotations

from dataclasses import replace

from shared.live.audio_beginnings import AUDIO_BEGINNINGS
from shared.live.session_ids import SESSION_GONE, session_path
from shared.sideband.contract import ReadFrame, SidebandContract


def suffix(session_id: str) -> str:
    return f"{session_path(session_id)}/attach?graceful_close=true"


def frame_reader() -> ReadFrame:
    from shared.live.frames import read_frame

    return read_frame


LIVE_SIDEBAND = SidebandContract(suffix, SESSION_GONE, frame_reader, dropped=AUDIO_BEGINNINGS)
"""For a connector whose base is that of `/live`. Audio is dropped as it arrives; a frame with audio
that begins otherwise is read."""
LIVE_SIDEBAND_WITH_AUDIO = replace(LIVE_SIDEBAND, dropped=())
"""The same for calls whose audio is recorded."""
