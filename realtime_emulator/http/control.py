"""The emulator's own route, `/emulator`: inspect it, change its script, inject frames, reset it."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from realtime_emulator.call.registry import CallRegistry
from realtime_emulator.call.services import Services
from realtime_emulator.http.fault_injection import FaultInjector
from realtime_emulator.http.forgotten import ForgottenConnections
from realtime_emulator.http.request_log import RequestLog
from realtime_emulator.live.registry import LiveRegistry
from realtime_emulator.protocol.frames import Frame
from realtime_emulator.protocol.journal import Journal
from realtime_emulator.protocol.json_text import parse_json
from realtime_emulator.protocol.validators import Invalid

LARGEST_BODY = 64 * 1024 * 1024
"""Far more than the API itself takes, so that tests can hold large replies and frames."""


class Control:
    """`GET`, `PATCH` and `DELETE` of the emulator's state, and frames of a test's making."""

    def __init__(
        self,
        services: Services,
        calls: CallRegistry,
        faults: FaultInjector,
        connections: ForgottenConnections,
        request_log: RequestLog,
        sessions: LiveRegistry,
    ) -> None:
        self.services, self.calls, self.sessions = services, calls, sessions
        self.faults, self.connections = faults, connections
        self.request_log = request_log

    async def show_state(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return web.json_response(self.snapshot())

    async def patch_script(self, request: web.Request) -> web.Response:
        """A JSON merge patch for the script; 400 with the reason if the result is not valid."""
        try:
            patch = parse_json(await read_body(request))
            self.services.script.apply_patch(patch)
        except Invalid as wrong:
            return bad_request(wrong.message, wrong.param)
        except ValueError:
            return bad_request("The body is not JSON.", None)
        if "faults" in patch:
            self.faults.reset()
            self.connections.reset()
        return web.json_response(self.snapshot())

    async def inject_frame(self, request: web.Request) -> web.Response:
        """Sends the body as it is to every sideband of a call: with `?binary`, as a binary message,
        otherwise as text. 404 if there is no such call."""
        call = self.calls.find_call(request.match_info["call_id"])
        frame = Frame(await read_body(request), binary="binary" in request.query)
        for observer in call.observers:
            observer.queue.put_nowait(frame)
        return web.json_response({"observers": len(call.observers)})

    async def show_events(self, request: web.Request) -> web.Response:
        """What passed in a call, after the first `?after=`. 404 if there is no such call."""
        journal = self.calls.find_journal(request.match_info["call_id"])
        return show_journal(request, journal)

    async def reset(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Ends all calls, clears the counts and restores the script. Keys stay valid."""
        await self.calls.reset()
        await self.sessions.reset()
        self.services.script.reset()
        self.faults.reset()
        self.connections.reset()
        self.request_log.reset()
        return web.json_response(self.snapshot())

    def snapshot(self) -> dict[str, Any]:
        return {
            "provider": self.services.provider,
            **self.calls.snapshot(),
            **self.sessions.snapshot(),
            **self.request_log.snapshot(),
            "script": self.services.script.to_json(),
        }


def show_journal(request: web.Request, journal: Journal) -> web.Response:
    after = request.query.get("after", "0")
    if not (after.isascii() and after.isdigit()):
        return bad_request("'after' is a number of events.", "after")
    return web.json_response(journal.to_json(int(after)))


async def read_body(request: web.Request) -> bytes:
    return await request.clone(client_max_size=LARGEST_BODY).read()


def bad_request(message: str, param: str | None) -> web.Response:
    return web.json_response({"error": {"message": message, "param": param}}, status=400)
