"""The emulator's own route, `/emulator`: inspect it, change its script, reset it."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from local.emulator.call.registry import CallRegistry
from local.emulator.call.services import Services
from local.emulator.http.fault_injection import FaultInjector
from local.emulator.http.request_log import RequestLog
from local.emulator.protocol.validators import Invalid


class Control:
    """`GET`, `PATCH` and `DELETE` of the emulator's state."""

    def __init__(
        self,
        services: Services,
        calls: CallRegistry,
        faults: FaultInjector,
        request_log: RequestLog,
    ) -> None:
        self.services, self.calls = services, calls
        self.faults, self.request_log = faults, request_log

    async def show_state(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return web.json_response(self.snapshot())

    async def patch_script(self, request: web.Request) -> web.Response:
        """A JSON merge patch for the script; 400 with the reason if the result is not valid."""
        try:
            patch = json.loads(await request.text())
            self.services.script.apply_patch(patch)
        except Invalid as wrong:
            return bad_request(wrong.message, wrong.param)
        except ValueError:
            return bad_request("The body is not JSON.", None)
        if "faults" in patch:
            self.faults.reset()
        return web.json_response(self.snapshot())

    async def reset(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Ends all calls, clears the counts and restores the script. Keys stay valid."""
        await self.calls.reset()
        self.services.script.reset()
        self.faults.reset()
        self.request_log.reset()
        return web.json_response(self.snapshot())

    def snapshot(self) -> dict[str, Any]:
        return {
            "provider": self.services.provider,
            **self.calls.snapshot(),
            **self.request_log.snapshot(),
            "script": self.services.script.to_json(),
        }


def bad_request(message: str, param: str | None) -> web.Response:
    return web.json_response({"error": {"message": message, "param": param}}, status=400)
