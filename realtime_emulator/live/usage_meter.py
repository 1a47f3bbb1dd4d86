"""What a session costs so far: seconds on its timeline, never less than what creating it costs."""

from __future__ import annotations

import asyncio
import math
from typing import Any, Final

from realtime_emulator.live import events
from realtime_emulator.live.context import SessionContext
from realtime_emulator.protocol.ids import Provider

LEAST: Final = 15.0
CONTEXT_TOKENS: Final = 128_000
FIRST_TOKENS: Final = 1_000
TOKENS_PER_SECOND: Final = 20


class UsageMeter:
    """Reads the timeline. A session that may pause splits its seconds into active and paused."""

    def __init__(self, context: SessionContext, provider: Provider, *, may_pause: bool) -> None:
        self.context, self.provider, self.may_pause = context, provider, may_pause

    async def run(self) -> None:
        """Reports for as long as the session runs."""
        while pause := self.context.script.usage_seconds:
            await asyncio.sleep(pause)
            self.report_now()

    def report_now(self) -> None:
        self.context.emit(events.event("session.usage.updated", **self.report()))

    def snapshot(self) -> dict[str, Any]:
        """The `usage` so far."""
        seconds = self.context.media.position_ms / 1000
        whole = self.provider == "openai"
        return self.split(float(math.floor(seconds)) if whole else round(seconds, 1))

    def final(self) -> dict[str, Any]:
        """The `usage` at the end."""
        return self.split(max(LEAST, float(math.ceil(self.context.media.position_ms / 1000))))

    def split(self, seconds: float) -> dict[str, Any]:
        if not self.may_pause:
            return {"seconds": seconds}
        paused = min(self.context.media.paused_ms // 1000, math.floor(seconds))
        return {
            "seconds": seconds,
            "active_seconds": math.floor(seconds) - paused,
            "paused_seconds": paused,
        }

    def report(self) -> dict[str, Any]:
        """The fields of a `session.usage.updated`."""
        fields: dict[str, Any] = {"usage": self.snapshot()}
        if self.provider == "openai":
            seconds = self.context.media.position_ms / 1000
            used = FIRST_TOKENS + seconds * TOKENS_PER_SECOND
            fields["context_window"] = {"usage_ratio": min(1.0, used / CONTEXT_TOKENS)}
        return fields
