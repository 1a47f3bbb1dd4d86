"""Client events: the eleven requests that a caller or an observer may make of a call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta

from realtime_emulator.call.context import CallContext
from realtime_emulator.call.conversation import Item
from realtime_emulator.call.dialogue import Dialogue
from realtime_emulator.call.input_audio import InputAudioBuffer, decode_audio, duration_of
from realtime_emulator.protocol import conversation_schema, events, ids, session, session_schema
from realtime_emulator.protocol.events import Event
from realtime_emulator.protocol.json_text import parse_json
from realtime_emulator.protocol.validators import (
    Check,
    Invalid,
    integer,
    not_one_of,
    nullable,
    obj,
    string,
)

HOUR_MS = 3_600_000


class Refused(Invalid):
    """An event that the script refuses; `anonymous` if the error is not to name it."""

    def __init__(self, code: str, message: str, anonymous: bool) -> None:
        super().__init__(code, message, None)
        self.anonymous = anonymous


class ClientEventHandler:
    """Handles the client events of one call. `received` counts them by type."""

    def __init__(
        self, context: CallContext, dialogue: Dialogue, input_audio: InputAudioBuffer
    ) -> None:
        self.context, self.dialogue, self.input_audio = context, dialogue, input_audio
        self.received: Counter[str] = Counter()
        self.refused: Counter[int] = Counter()

    def handle_client_event(self, text: str) -> None:
        """Does what the event asks; whatever is wrong with it becomes an `error` event."""
        event_id = None
        try:
            event = parse_event(text)
            self.context.journal.note_received(event)
            kind = event.get("type")
            event_id = event.get("event_id") if isinstance(event.get("event_id"), str) else None
            if not isinstance(kind, str) or kind not in CLIENT_EVENTS:
                raise not_one_of(kind, "type", tuple(CLIENT_EVENTS))
            check, handle = CLIENT_EVENTS[kind]
            self.received[kind] += 1
            check(event, "")
            self.refuse_if_scripted(event)
            handle(self, event)
        except Invalid as wrong:
            if isinstance(wrong, Refused) and wrong.anonymous:
                event_id = None
            self.context.emit(
                events.error(wrong.code, wrong.message, param=wrong.param, event_id=event_id)
            )

    def refuse_if_scripted(self, event: Event) -> None:
        """Raises Invalid for an event that the script refuses."""
        for index, refusal in enumerate(self.context.services.script.refusals()):
            item = event.get("item") or {}
            if event["type"] != refusal["event"] or refusal.get("item") not in (
                None,
                item.get("type"),
            ):
                continue
            self.refused[index] += 1
            if self.refused[index] <= refusal.get("times", self.refused[index]):
                code = refusal.get("code", "invalid_value")
                raise Refused(
                    code,
                    refusal.get("message", "Refused by the script."),
                    refusal.get("anonymous", False),
                )

    def update_session(self, event: Event) -> None:
        self.context.session = session.apply_update(
            self.context.session,
            event["session"],
            has_spoken=self.dialogue.conversation.has_spoken,
        )
        self.input_audio.apply_session()
        self.context.emit(events.event("session.updated", session=self.context.session))

    def create_item(self, event: Event) -> None:
        data = dict(event["item"])
        kind = data["type"]
        known = {"id": data.pop("id", None) or ids.new("item"), "type": kind}
        data.pop("object", None)
        data.pop("type")
        spoken = b""
        if kind == "message":
            data = {**data, "status": "completed"}
            data = {name: data[name] for name in ("status", "role", *data)}
            data["content"] = [dict(part) for part in data["content"]]
            for index, part in enumerate(data["content"]):
                if part["type"] == "input_audio":
                    pcm = decode_audio(part.pop("audio"), f"item.content[{index}].audio")
                    part.setdefault("transcript", None)
                    spoken += pcm
        elif kind == "function_call_output":
            items = self.dialogue.conversation.items
            if data["call_id"] not in {i.data["call_id"] for i in items if "call_id" in i.data}:
                raise Invalid(
                    "invalid_tool_call_id",
                    f"Tool call ID '{data['call_id']}' not found in conversation.",
                    "item.call_id",
                )
        elif kind == "mcp_approval_response":
            self.dialogue.conversation.check_approval_request(data["approval_request_id"])
        elif kind == "function_call":
            data.setdefault("call_id", ids.tool_call())
        item = Item({**known, **data}, duration_of(spoken))
        self.dialogue.add_item(item, event.get("previous_item_id"))
        if kind == "mcp_approval_response":
            self.dialogue.approvals.answer(data["approval_request_id"], approve=data["approve"])
        if spoken:
            item.words = self.input_audio.hearing.recognise(spoken)

    def retrieve_item(self, event: Event) -> None:
        item = self.dialogue.conversation.find_item(event["item_id"])
        self.context.emit(events.event("conversation.item.retrieved", item=item.to_json()))

    def truncate_item(self, event: Event) -> None:
        heard = timedelta(milliseconds=event["audio_end_ms"])
        self.dialogue.conversation.truncate_item(event["item_id"], heard)
        fields = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
        self.context.emit(events.event("conversation.item.truncated", **fields))

    def delete_item(self, event: Event) -> None:
        self.dialogue.conversation.delete_item(event["item_id"])
        self.context.emit(events.event("conversation.item.deleted", item_id=event["item_id"]))

    def append_input(self, event: Event) -> None:
        self.input_audio.add_audio(decode_audio(event["audio"], "audio"))

    def commit_input(self, event: Event) -> None:  # noqa: ARG002
        self.input_audio.commit()

    def clear_input(self, event: Event) -> None:  # noqa: ARG002
        self.input_audio.vad.clear_audio()
        self.context.emit(events.event("input_audio_buffer.cleared"))

    def create_response(self, event: Event) -> None:
        self.dialogue.create_response(event.get("response") or {}, event.get("event_id"))

    def cancel_response(self, event: Event) -> None:
        self.dialogue.cancel_response(event.get("response_id"))

    def clear_output(self, event: Event) -> None:  # noqa: ARG002
        self.dialogue.output.clear()


def parse_event(text: str) -> Event:
    try:
        event = parse_json(text)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise Invalid("invalid_json", "An event is a JSON object.", None)
    return event


def fields(required: Mapping[str, Check] | None = None, **optional: Check) -> Check:
    """The fields of a client event besides `type` and `event_id`."""
    needed = dict(required or {})
    common: dict[str, Check] = {"type": string, "event_id": nullable(string)}
    return obj({**common, **needed, **optional}, required=tuple(needed))


Handler = Callable[[ClientEventHandler, Event], None]

ITEM_ID = {"item_id": string}
TRUNCATION = {**ITEM_ID, "content_index": integer(0, 1000), "audio_end_ms": integer(0, HOUR_MS)}
CLIENT_EVENTS: dict[str, tuple[Check, Handler]] = {
    "session.update": (
        fields({"session": session_schema.SESSION}),
        ClientEventHandler.update_session,
    ),
    "input_audio_buffer.append": (fields({"audio": string}), ClientEventHandler.append_input),
    "input_audio_buffer.commit": (fields(), ClientEventHandler.commit_input),
    "input_audio_buffer.clear": (fields(), ClientEventHandler.clear_input),
    "conversation.item.create": (
        fields({"item": conversation_schema.ITEM}, previous_item_id=nullable(string)),
        ClientEventHandler.create_item,
    ),
    "conversation.item.retrieve": (fields(ITEM_ID), ClientEventHandler.retrieve_item),
    "conversation.item.truncate": (fields(TRUNCATION), ClientEventHandler.truncate_item),
    "conversation.item.delete": (fields(ITEM_ID), ClientEventHandler.delete_item),
    "response.create": (
        fields(response=nullable(conversation_schema.RESPONSE)),
        ClientEventHandler.create_response,
    ),
    "response.cancel": (fields(response_id=nullable(string)), ClientEventHandler.cancel_response),
    "output_audio_buffer.clear": (fields(), ClientEventHandler.clear_output),
}
