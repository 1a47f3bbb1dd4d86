"""The paths of the Live API, and those of the control route for its sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiohttp import web

from realtime_emulator.call.services import Services
from realtime_emulator.contract import PREFIX
from realtime_emulator.http.endpoint import Handler, plain
from realtime_emulator.live.live_control import LiveControl
from realtime_emulator.live.live_rest import LiveRest
from realtime_emulator.live.live_sockets import LiveSockets
from realtime_emulator.live.registry import LiveRegistry

BASE: Final = {provider: f"{prefix}/live" for provider, prefix in PREFIX.items()}


def add_live_routes(
    app: web.Application,
    services: Services,
    sessions: LiveRegistry,
    wrap: Callable[[str, Handler], Handler],
) -> None:
    """Adds the API. `wrap` surrounds the handler of one of the script's routes."""
    rest, sockets = LiveRest(services, sessions), LiveSockets(services, sessions)
    all_sessions = f"{BASE[services.provider]}/sessions"
    one = f"{all_sessions}/{{session_id}}"
    routes: dict[tuple[str, str, str], Handler] = {
        ("live_sessions", "POST", all_sessions): rest.create,
        ("live_connect", "GET", all_sessions): sockets.connect,
        ("live_attach", "GET", f"{one}/attach"): sockets.attach,
        ("live_fork", "POST", f"{one}/fork"): rest.fork,
        ("live_fork", "GET", f"{one}/fork"): sockets.fork,
        ("live_hangup", "POST", f"{one}/hangup"): rest.hang_up,
        ("live_content", "GET", f"{one}/content"): rest.download,
    }
    for (route, method, path), handler in routes.items():
        app.router.add_route(method, path, wrap(route, handler))
    verbs = "{verb:accept|refer|reject}"
    app.router.add_post(f"{one}/{verbs}", plain(rest.refuse_telephony))


def add_live_control(
    app: web.Application, sessions: LiveRegistry, guard: Callable[[Handler], Handler]
) -> None:
    """Adds `/emulator/sessions/{id}/…`. `guard` keeps the pages of other origins out."""
    control = LiveControl(sessions)
    one = "/emulator/sessions/{session_id}"
    app.router.add_get(f"{one}/events", guard(control.show_events))
    app.router.add_post(f"{one}/speech", guard(control.speak))
    app.router.add_post(f"{one}/frames", guard(control.inject_frame))
    app.router.add_post(f"{one}/end", guard(control.end))
