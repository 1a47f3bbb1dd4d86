"""Client events: what a page, a sideband or the client of a primary WebSocket may ask."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from realtime_emulator.live import events
from realtime_emulator.live.appends import Appends, Refusal
from realtime_emulator.live.audio_controls import AudioControls
from realtime_emulator.live.context import SessionContext
from realtime_emulator.live.decision_items import DecisionItems
from realtime_emulator.live.events import Event
from realtime_emulator.live.hosted_tasks import HostedTasks
from realtime_emulator.live.item_shapes import BackendItem, DecisionItem
from realtime_emulator.live.json_shapes import ANYTHING, TEXT, Nullable, Object, Shape
from realtime_emulator.live.session_update import apply_update
from realtime_emulator.protocol.json_text import parse_json
from realtime_emulator.protocol.validators import Invalid

EVERYBODY: Final = frozenset({"primary", "sideband", "data_channel"})
HEAD: Final[dict[str, Shape]] = {"type": TEXT, "event_id": Nullable(TEXT)}


def shape(**fields: Any) -> Object:
    """An event with these fields, all required."""
    return Object({**HEAD, **fields}, tuple(fields))


class ClientEventHandler:
    """Handles the client events of one session. `received` counts them by type."""

    def __init__(
        self, context: SessionContext, audio: AudioControls, appends: Appends, tasks: HostedTasks
    ) -> None:
        self.context, self.audio, self.appends, self.tasks = context, audio, appends, tasks
        self.received: Counter[str] = Counter()
        self.refused: Counter[int] = Counter()
        self.decisions = DecisionItems(context)

    def handle(self, text: str, source: str) -> None:
        """Does what the event asks; whatever is wrong with it becomes an `error` event."""
        event_id = None
        try:
            event = parse_event(text)
            self.context.journal.note_received(event)
            event_id = event.get("event_id") if isinstance(event.get("event_id"), str) else None
            command = find_command(event.get("type"), source)
            self.received[event["type"]] += 1
            if not self.context.takes_commands:
                raise Invalid("invalid_event", "The session is closing.", None)
            command.shape.find_unknown(event, "")
            command.shape.check_value(event, "")
            self.refuse_if_scripted(event)
            command.handle(self, event)
        except Invalid as wrong:
            code = None if isinstance(wrong, Refusal) else wrong.code
            self.context.emit(
                events.error(code, wrong.message, param=wrong.param, client_event_id=event_id)
            )

    def refuse_if_scripted(self, event: Event) -> None:
        """Raises Invalid for an event that the script refuses."""
        for index, refusal in enumerate(self.context.services.script.refusals()):
            item = event.get("item") or {}
            named = refusal.get("item", item.get("type"))
            if event["type"] != refusal["event"] or named != item.get("type"):
                continue
            self.refused[index] += 1
            if self.refused[index] <= refusal.get("times", self.refused[index]):
                message = refusal.get("message", "Refused by the script.")
                raise Invalid(refusal.get("code", "invalid_value"), message, None)

    def acknowledge(self, kind: str, event: Event, **fields: Any) -> None:
        self.context.emit(events.event(kind, event.get("event_id"), **fields))

    def update(self, event: Event) -> None:
        session = self.context
        session.config = apply_update(session.services.provider, session.config, event["session"])
        session.media.note_activity()
        self.acknowledge("session.updated", event, session=session.build_resource())

    def mute(self, event: Event) -> None:
        self.audio.set_muted(True)
        self.acknowledge("session.input_audio.muted", event)

    def unmute(self, event: Event) -> None:
        self.audio.set_muted(False)
        self.acknowledge("session.input_audio.unmuted", event)

    def append_audio(self, event: Event) -> None:
        self.audio.append(decode(event["audio"]))

    def play_fixture(self, event: Event) -> None:
        fixture = self.audio.start_fixture(decode(event["audio"]))
        self.acknowledge("session.output_audio.fixture.playing", event)
        self.context.spawn(self.audio.wait_for_fixture(fixture, event.get("event_id")))

    def append_text(self, event: Event) -> None:
        message = "Nothing can be appended while a fixture is playing."
        self.audio.require_no_fixture(message)
        _, kind, _ = event["type"].split(".")
        self.appends.handle(kind, event)

    def add_item(self, event: Event) -> None:
        self.require_backend(event)
        self.tasks.add_item(event)

    def create_response(self, event: Event) -> None:
        self.require_backend(event)
        self.tasks.create(event)

    def require_backend(self, event: Event) -> None:
        if self.context.config["delegation"]["type"] != "responses":
            message = f"'{event['type']}' requires Responses delegation."
            raise Invalid("invalid_event", message, "type")

    def create_decision(self, event: Event) -> None:
        """Accepted; the emulator decides nothing."""

    def close(self, event: Event) -> None:
        script = self.context.script
        after = script.time("close_seconds")
        self.context.close(script.close_reason, event.get("event_id"), after=after)


def add_decision_item(handler: ClientEventHandler, event: Event) -> None:
    handler.decisions.add(event)


def delete_decision_item(handler: ClientEventHandler, event: Event) -> None:
    handler.decisions.delete(event)


def refuse_dtmf(handler: ClientEventHandler, event: Event) -> None:  # noqa: ARG001
    raise Invalid("invalid_event", "DTMF is for SIP calls.", "type")


@dataclass(frozen=True, slots=True)
class Command:
    """A client event: its shape, what it does and who may send it."""

    shape: Object
    handle: Callable[[ClientEventHandler, Event], None]
    sources: frozenset[str] = EVERYBODY


APPEND = Command(shape(content=TEXT, delegation_id=Nullable(TEXT)), ClientEventHandler.append_text)
COMMANDS: Final = {
    "session.update": Command(shape(session=ANYTHING), ClientEventHandler.update),
    "session.input_audio.append": Command(
        shape(audio=TEXT), ClientEventHandler.append_audio, frozenset({"primary"})
    ),
    "session.input_audio.mute": Command(shape(), ClientEventHandler.mute),
    "session.input_audio.unmute": Command(shape(), ClientEventHandler.unmute),
    "session.output_audio.fixture.play": Command(
        shape(audio=TEXT), ClientEventHandler.play_fixture, frozenset({"primary", "sideband"})
    ),
    "session.instructions.append": APPEND,
    "session.thinking.append": APPEND,
    "session.commentary.append": APPEND,
    "decision.create": Command(
        Object({"type": TEXT, "event_id": TEXT}, ("event_id",)), ClientEventHandler.create_decision
    ),
    "decision.item.create": Command(shape(item=DecisionItem()), add_decision_item),
    "decision.item.delete": Command(shape(item_id=TEXT), delete_decision_item),
    "response.item.create": Command(shape(item=BackendItem()), ClientEventHandler.add_item),
    "response.create": Command(shape(), ClientEventHandler.create_response),
    "session.close": Command(shape(), ClientEventHandler.close),
    "transport.dtmf.send": Command(shape(event=TEXT), refuse_dtmf, frozenset({"sideband"})),
}


def find_command(kind: Any, source: str) -> Command:
    """Raises Invalid `invalid_event` for an unknown event, or one that this source may not send."""
    command = COMMANDS.get(kind) if isinstance(kind, str) else None
    if command is None:
        message = f"Invalid event type: '{kind}'."
        if kind == "session.start":
            message = "'session.start' is only the first event of a primary WebSocket."
        raise Invalid("invalid_event", message, "type")
    if source not in command.sources:
        raise Invalid("invalid_event", f"'{kind}' is not allowed on this connection.", "type")
    return command


def parse_event(text: str) -> Event:
    """Raises Invalid if the text is no JSON object."""
    try:
        event = parse_json(text)
    except ValueError:
        raise Invalid("invalid_json", "The event is not JSON.", None) from None
    if not isinstance(event, dict):
        raise Invalid("invalid_json", "The event is not a JSON object.", None)
    return event


def decode(audio: str) -> bytes:
    """Raises Invalid if the text is not base64."""
    try:
        return base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("invalid_audio", "Audio must be base64.", "audio") from None
