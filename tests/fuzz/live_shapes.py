"""Server events of the Live API, from the official types, and what becomes of them in odd hands: as
`shapes` does it for Realtime. Words come in an order of time, mostly, and audio comes between them.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from openai.types.live import ServerEvent
from openai.types.responses import ResponseStreamEvent

from tests.fuzz.shapes import Json, frame, kind_of, members, mutate, pooled, sample

LIVE_EVENTS = {kind_of(model): model for model in members(ServerEvent)}
NESTED_EVENTS = {kind_of(model): model for model in members(ResponseStreamEvent)}
LIKELY = (
    "session.input_transcript.delta",
    "session.output_transcript.delta",
    "session.delegation.created",
    "session.commentary.appended",
    "session.updated",
    "response.event",
    "error",
)
"""What the observer acts on: three in four events are of these types."""
LIKELY_NESTED = (
    "response.created",
    "response.output_item.added",
    "response.output_item.done",
    "response.completed",
    "response.failed",
)
END = "session.closed"
SAMPLES = "AAAA" * 3200
MESSAGES = ("Responses handoff incomplete.", "Unknown client delegation.", "odd", "\ud83d")
CODES = (None, "response_input_buffer_full", "function_call_outputs_required", "odd", "\ud83d")
WORDS = (
    " mhm",
    "Where",
    " is",
    " my",
    " order",
    " 1002",
    "?",
    " 4111 1111 1111 1111",
    "帮我",
    "\ud83d",
)


class LiveTalk:
    """The events of one session. `sent` are the client events that the observer has sent: answers
    to them have their ids."""

    def __init__(self, rng: Random, sent: list[Any]) -> None:
        self.rng = rng
        self.sent = sent
        self.place = 0
        self.latest: list[str | bytes] = []

    def next_frame(self) -> str | bytes:
        """A frame that a sideband may bring: half of those that are no audio are as they should be;
        some come again."""
        if self.latest and self.rng.random() < 0.03:
            return self.rng.choice(self.latest)
        if self.rng.random() < 0.2:
            return self.audio_frame()
        event = self.server_event()
        made = frame(event if self.rng.random() < 0.5 else mutate(event, self.rng), self.rng)
        self.latest = [*self.latest[-20:], made]
        return made

    def audio_frame(self) -> str:
        if self.rng.random() < 0.5:
            return f'{{"type":"session.input_audio.append","audio":"{SAMPLES}"}}'
        times = f'"start_ms":{self.place},"end_ms":{self.place + 200}'
        return f'{{"type":"session.output_audio.delta","delta":"{SAMPLES}",{times}}}'

    def server_event(self) -> Json:
        """A server event that the official types accept. None of them ends the session."""
        rng = self.rng
        kind = rng.choice(LIKELY) if rng.random() < 0.75 else rng.choice(list(LIVE_EVENTS))
        if kind == END:
            kind = "info"
        event: Json = sample(LIVE_EVENTS[kind], rng, kind)
        event["event_id"] = f"event_{rng.randrange(100_000)}"
        fit: Callable[[Json], None] | None = getattr(self, f"fit_{kind.rpartition('.')[2]}", None)
        if fit:
            fit(event)
        if rng.random() < 0.2 and self.sent:
            event["client_event_id"] = rng.choice(self.sent[-20:]).get("event_id")
        return event

    def fit_delta(self, event: Json) -> None:
        """Words, after those before."""
        if "start_ms" in event:
            self.place += self.rng.choice((0, 200, 200, 400, 3000))
            start = self.place if self.rng.random() < 0.98 else self.rng.randrange(5000)
            event |= {"delta": self.rng.choice(WORDS), "start_ms": start, "end_ms": start + 200}

    def fit_created(self, event: Json) -> None:
        if "delegation" in event:
            target = self.rng.choice(("client", "responses"))
            event["delegation"] |= {"id": pooled("item", self.rng), "target": target}
            event["offset_ms"] = self.place

    def fit_event(self, event: Json) -> None:
        """What the backend says."""
        rng = self.rng
        likely = rng.random() < 0.8
        kind = rng.choice(LIKELY_NESTED) if likely else rng.choice(list(NESTED_EVENTS))
        nested: Json = sample(NESTED_EVENTS[kind], rng, kind)
        if "item" in nested and rng.random() < 0.8:
            number = rng.randrange(200)
            nested["item"] = {
                "type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}",
                "name": rng.choice(("order_status", "current_time", "page_tool", "\ud83d")),
                "arguments": rng.choice(('{"order_number": "1002"}', "{}", "{", "[" * 2000)),
                "status": rng.choice(("completed", "completed", "in_progress", "incomplete")),
            }  # fmt: skip
        event |= {"event": nested, "delegation_id": pooled("item", rng)}

    def fit_error(self, event: Json) -> None:
        about = {"message": self.rng.choice(MESSAGES), "code": self.rng.choice(CODES)}
        event["error"] = {"type": "server_error", **about}
        if self.rng.random() < 0.5 and self.sent:
            event["error"]["client_event_id"] = self.rng.choice(self.sent[-20:]).get("event_id")
