"""The emulator's own route, `/emulator`: look at it, change its script, start afresh."""

import json
from typing import Any

from aiohttp import web

from local.emulator.call.registry import CallRegistry
from local.emulator.call.services import Services
from local.emulator.http.fault_injection import Faults
from local.emulator.http.request_log import RequestLog
from local.emulator.protocol.validators import Invalid


class Control:
    """`GET`, `PATCH` and `DELETE` of the state."""

    def __init__(
        self, services: Services, calls: CallRegistry, faults: Faults, records: RequestLog
    ) -> None:
        self.services, self.calls = services, calls
        self.faults, self.records = faults, records

    async def show(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return web.json_response(self.state())

    async def change(self, request: web.Request) -> web.Response:
        """A JSON merge patch for the script; 400 with the reason if it would not be one."""
        try:
            patch = json.loads(await request.text())
            self.services.script.change(patch)
        except Invalid as wrong:
            return refusal(wrong.message, wrong.param)
        except ValueError:
            return refusal("The body is not JSON.", None)
        if "faults" in patch:
            self.faults.reset()
        return web.json_response(self.state())

    async def reset(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Hangs everything up, forgets what was counted, restores the script. Keys stay good."""
        await self.calls.reset()
        self.services.script.reset()
        self.faults.reset()
        self.records.reset()
        return web.json_response(self.state())

    def state(self) -> dict[str, Any]:
        return {
            "provider": self.services.provider,
            **self.calls.shown(),
            **self.records.shown(),
            "script": self.services.script.shown(),
        }


def refusal(message: str, param: str | None) -> web.Response:
    return web.json_response({"error": {"message": message, "param": param}}, status=400)
