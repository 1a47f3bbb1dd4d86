"""Admins' events in Live calls: what is allowed, what is sent, what answers."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from openai.types.live import ClientEvent
from pydantic import TypeAdapter

from shared.live.admin_event_schemas import ANSWERS, validate_live_event
from shared.live.admin_event_sender import send_live_event
from shared.sideband.admin_events import EventRefused
from shared.sideband.events import ErrorEvent
from shared.sideband.sideband import NoSuchCall, SidebandUnavailable
from tests.support.patience import PATIENCE
from tests.unit.live.sidebands import FixedSideband, dialled

OFFICIAL: TypeAdapter[Any] = TypeAdapter(ClientEvent)
ALLOWED: list[dict[str, Any]] = [
    {"type": "session.instructions.append", "content": "Be brief."},
    {"type": "session.thinking.append", "content": "The caller is Ada.", "delegation_id": None},
    {"type": "session.commentary.append", "content": "The parcel is here."},
    {"type": "session.input_audio.mute"},
    {"type": "session.input_audio.unmute"},
    {"type": "session.close"},
]


def test_every_event_that_is_allowed_has_an_example() -> None:
    assert {event["type"] for event in ALLOWED} == set(ANSWERS)


@pytest.mark.parametrize("event", ALLOWED, ids=lambda event: event["type"])
async def test_an_event_is_sent_as_the_official_types_have_it(event: dict[str, Any]) -> None:
    sideband = FixedSideband("session.started", ANSWERS[event["type"]])
    connect, asked = dialled(sideband)
    answer = await send_live_event(connect, "live_1", event)
    assert answer is not None
    assert answer.type == ANSWERS[event["type"]]
    [sent] = sideband.sent
    OFFICIAL.validate_python(sent)
    assert sent["event_id"].startswith("event_")
    assert ("delegation_id" in sent) == ("content" in event)
    assert asked == ["live_1"]
    assert sideband.closed


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({}, "type: expected one of"),
        ({"type": 7}, "type: expected one of"),
        ({"type": "session.update", "session": {}}, "type: expected one of"),
        ({"type": "session.input_audio.append", "audio": "AAAA"}, "type: expected one of"),
        ({"type": "response.create"}, "type: expected one of"),
        ({"type": "session.close", "reason": "x"}, "reason: unknown field"),
        ({"type": "session.thinking.append"}, "content: missing"),
        ({"type": "session.thinking.append", "content": ""}, "content: expected"),
        ({"type": "session.thinking.append", "content": "x" * 481}, "content: expected"),
        ({"type": "session.thinking.append", "content": "ü" * 241}, "content: expected"),
        (
            {"type": "session.commentary.append", "content": "x", "delegation_id": "item_1"},
            "delegation_id: expected null",
        ),
    ],
)
def test_what_is_not_allowed_is_said_without_its_value(event: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace(".", r"\.")) as wrong:
        validate_live_event(event)
    assert "xxx" not in str(wrong.value)


async def test_a_refusal_has_the_endpoints_code_and_no_message() -> None:
    class Refusing(FixedSideband):
        async def send_event(self, event: Any) -> None:
            await super().send_event(event)
            self.events.append(
                ErrorEvent("error", "event_1", "invalid_request_error", "c", "p", event["event_id"])
            )

    connect, _ = dialled(Refusing("session.started"))
    with pytest.raises(EventRefused) as refused:
        await send_live_event(connect, "live_1", ALLOWED[0])
    assert (refused.value.code, refused.value.param) == ("c", "p")


async def test_no_answer_is_no_error_but_a_lost_connection_is() -> None:
    soon = timedelta(milliseconds=20)
    connect, _ = dialled(FixedSideband(quiet=True))
    assert await send_live_event(connect, "live_1", ALLOWED[0], timeout=soon) is None
    connect, _ = dialled(FixedSideband())
    with pytest.raises(SidebandUnavailable):
        await send_live_event(connect, "live_1", ALLOWED[0])
    connect, _ = dialled(FixedSideband())
    assert await send_live_event(connect, "live_1", {"type": "session.close"}) is None
    connect, _ = dialled(NoSuchCall())
    with pytest.raises(NoSuchCall):
        await send_live_event(connect, "live_1", ALLOWED[0])


async def test_a_connection_that_takes_nothing_is_not_waited_for() -> None:
    class Stuck(FixedSideband):
        async def send_event(self, event: Any) -> None:
            await asyncio.Event().wait()

    sideband = Stuck()
    connect, _ = dialled(sideband)
    soon = timedelta(milliseconds=20)
    async with asyncio.timeout(PATIENCE):
        assert await send_live_event(connect, "live_1", ALLOWED[0], timeout=soon) is None
    assert sideband.closed
