"""What the endpoint replies to creates and hang-ups of GPT-Live, for the scripted endpoint."""

from __future__ import annotations

import json
from typing import Any, Final

from shared.admin.endpoint_probe import NO_SESSION
from tests.support.scripted_endpoint import ANSWER, Said, Upstream

SESSIONS: Final = "/openai/v1/live/sessions"
OPENAI_SESSIONS: Final = "/v1/live/sessions"
SESSION: Final = "live_u1_ETYIzp3oMdsOgToLqu6XD9tADPzN3Caj"
GONE: Final = "session_id_not_found"


def hangup_path(session_id: str = SESSION, sessions: str = SESSIONS) -> str:
    return f"{sessions}/{session_id}/hangup"


def created(session_id: Any = SESSION, sdp: Any = ANSWER, status: int = 201) -> Said:
    """A create's reply."""
    body = {"session": {"id": session_id}, "transport": {"type": "webrtc", "sdp": sdp}}
    return json_said(status, body)


def json_said(status: int, body: Any) -> Said:
    return Said(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


def live_refusal(
    status: int, code: str | None, param: str | None = None, message: str = "words of upstream"
) -> Said:
    """An error in the API's shape."""
    kind = "invalid_request_error"
    error = {"message": message, "type": kind, "code": code, "param": param}
    return json_said(status, {"error": error})


def no_session() -> Said:
    """The recorded 404 of a session that has ended or never was."""
    message = "No session found for the provided session_id"
    return live_refusal(404, GONE, "session_id", message)


def serve_live(script: Upstream, sessions: str = SESSIONS) -> None:
    """Has the endpoint serve GPT-Live: creates that have an offer, and hang-ups."""

    def reply() -> Said:
        if "transport" in script.asked[-1].json():
            return created()
        return live_refusal(400, "missing_required_parameter", "transport")

    script.on(sessions, reply)
    script.on(hangup_path(sessions=sessions), Said(200), no_session())
    script.on(hangup_path(NO_SESSION, sessions), no_session())
