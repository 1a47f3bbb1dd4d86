"""What the control route can do to a GPT-Live session: speak for its caller, inject, end it."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from realtime_emulator.http.control import show_journal
from realtime_emulator.live.registry import LiveRegistry
from realtime_emulator.live.spoken_text import hear
from realtime_emulator.protocol.frames import Frame
from realtime_emulator.protocol.json_text import parse_json
from realtime_emulator.protocol.validators import Invalid, boolean, choice, obj, string

LARGEST_BODY: Final = 64 * 1024 * 1024
REASONS: Final = ("close_requested", "expired", "content", "remote_hangup", "connection_lost")
SPEECH = obj({"text": string, "at_once": boolean}, required=("text",))
END = obj({"reason": choice(*REASONS)}, required=("reason",))


class LiveControl:
    """Handlers of `/emulator/sessions/{id}/…`. 404 for a session that does not run."""

    def __init__(self, sessions: LiveRegistry) -> None:
        self.sessions = sessions

    async def speak(self, request: web.Request) -> web.Response:
        """`{"text": …}`: the caller says it, as if it had been recognised."""
        session = self.sessions.find_running(request.match_info["session_id"])
        body = await read_json(request, SPEECH)
        work = hear(session, body["text"], at_once=body.get("at_once", False))
        session.spawn(work)
        return web.json_response({"position_ms": session.media.position_ms})

    async def inject_frame(self, request: web.Request) -> web.Response:
        """The body as it is, to every sideband: with `?binary`, as a binary message."""
        session = self.sessions.find_running(request.match_info["session_id"])
        body = await request.clone(client_max_size=LARGEST_BODY).read()
        observers = session.outlets.inject(Frame(body, binary="binary" in request.query))
        return web.json_response({"observers": observers})

    async def show_events(self, request: web.Request) -> web.Response:
        """What passed in a session, after the first `?after=`."""
        return show_journal(request, self.sessions.find_journal(request.match_info["session_id"]))

    async def end(self, request: web.Request) -> web.Response:
        """`{"reason": …}`: `session.closed` with that reason, at once."""
        session = self.sessions.find_running(request.match_info["session_id"])
        body = await read_json(request, END)
        session.ending.finish(body["reason"])
        return web.json_response({"ended": session.ended})


async def read_json(request: web.Request, check: Any) -> dict[str, Any]:
    """Raises 400 with the reason."""
    try:
        body: dict[str, Any] = parse_json(await request.read())
        check(body, "")
    except ValueError as error:
        message = error.message if isinstance(error, Invalid) else "The body is not JSON."
        raise web.HTTPBadRequest(reason=message) from None
    return body
