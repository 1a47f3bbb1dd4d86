"""What a page learns and may do on the data channel of a Live call, over real WebRTC."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realtime_emulator.caller import Caller
from tests.contract.live.test_broker_calls import ADMIN, stack
from tests.support.call_location import call_path

FORBIDDEN: list[dict[str, Any]] = [
    {"type": "session.update", "session": {}},
    {"type": "session.instructions.append", "content": "x", "delegation_id": None},
    {"type": "response.create"},
]


async def test_a_page_gets_no_session_and_may_not_change_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sample's lists: the page may mute, add a thought and close, and nothing else."""
    live = {"connection_lost_seconds": 0.2}
    async with stack(monkeypatch, real_media=True, live=live) as it, Caller() as page:
        response = await it.connect((await page.offer()).encode())
        assert response.status == 201, await response.text()
        await page.accept(await response.text())
        await page.expect("info")
        for event in FORBIDDEN:
            page.send_event(event)
            await page.expect("error")
        page.send_event({"type": "session.input_audio.mute"})
        await page.expect("session.input_audio.muted")
        session = (await it.live_session())["id"]
        page.send_event({"type": "session.close"})
        await it.nothing_runs()
        told = json.dumps(page.events)
        for secret in (session, "help desk", "order_status"):
            assert secret not in told
        assert not [kind for kind in page.types() if kind in ("session.started", "session.closed")]
        # The call is over upstream; its owner may still say so.
        assert (await it.app.post(f"{call_path(response)}/hangup", headers=ADMIN)).status == 204
