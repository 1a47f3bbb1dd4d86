"""The sideband of the Realtime API: the WebSocket on which the server follows a call.

We rely on this, from recorded live traffic and the providers' documents: the URL takes `call_id`
and nothing else; a key or an identity of the same resource authenticates us, an ephemeral key does
not; no `session.created` comes first, and nothing is replayed; the caller's audio is not on it.
"""

from __future__ import annotations

from shared.sideband.contract import ReadFrame, SidebandContract
from shared.upstream.error_mapping import CALL_GONE


def suffix(call_id: str) -> str:
    return f"?call_id={call_id}"


def frame_reader() -> ReadFrame:
    from shared.realtime.event_frames import read_frame

    return read_frame


REALTIME_SIDEBAND = SidebandContract(suffix, CALL_GONE, frame_reader)
"""For a connector whose base is that of `/realtime`."""
