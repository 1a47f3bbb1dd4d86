"""Client events: the eleven things that a caller or an observer may ask of a call."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from local.emulator.call import input_audio
from local.emulator.call.conversation import Item
from local.emulator.protocol import events, ids, schema, session
from local.emulator.protocol.events import Event
from local.emulator.protocol.validators import (
    Check,
    Invalid,
    integer,
    not_one_of,
    nullable,
    obj,
    string,
)

if TYPE_CHECKING:
    from local.emulator.call.call import Call

HOUR_MS = 3_600_000


def handle_client_event(call: "Call", text: str) -> None:
    """Does what a client event says; whatever is wrong with it becomes an `error` event."""
    event_id = None
    try:
        event = parsed(text)
        kind = event.get("type")
        event_id = event.get("event_id") if isinstance(event.get("event_id"), str) else None
        if not isinstance(kind, str) or kind not in COMMANDS:
            raise not_one_of(kind, "type", tuple(COMMANDS))
        check, command = COMMANDS[kind]
        call.commands[kind] += 1
        check(event, "")
        command(call, event)
    except Invalid as wrong:
        call.emit(events.error(wrong.code, wrong.message, param=wrong.param, event_id=event_id))


def parsed(text: str) -> Event:
    try:
        event = json.loads(text)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise Invalid("invalid_json", "An event is a JSON object.", None)
    return event


def session_update(call: "Call", event: Event) -> None:
    call.session = session.updated(
        call.session, event["session"], has_spoken=call.dialogue.conversation.has_spoken
    )
    call.turns.session_changed()
    call.emit(events.event("session.updated", session=call.session))


def item_create(call: "Call", event: Event) -> None:
    data = dict(event["item"])
    kind = data["type"]
    known = {"id": data.pop("id", None) or ids.new("item"), "type": kind}
    data.pop("object", None)
    data.pop("type")
    audio, words = timedelta(0), None
    if kind == "message":
        data["status"] = "completed"
        data["content"] = [dict(part) for part in data["content"]]
        for index, part in enumerate(data["content"]):
            if part["type"] == "input_audio":
                pcm = input_audio.decoded(part.pop("audio"), f"item.content[{index}].audio")
                part.setdefault("transcript", None)
                audio += input_audio.length(pcm)
                words = call.spawn(call.turns.recognise(pcm))
    elif kind == "function_call_output":
        asked = {i.data["call_id"] for i in call.dialogue.conversation.items if "call_id" in i.data}
        if data["call_id"] not in asked:
            raise Invalid(
                "invalid_tool_call_id",
                f"Tool call ID '{data['call_id']}' not found in conversation.",
                "item.call_id",
            )
    else:
        data.setdefault("call_id", ids.tool_call())
    call.dialogue.add(Item({**known, **data}, audio, words), event.get("previous_item_id"))


def item_retrieve(call: "Call", event: Event) -> None:
    item = call.dialogue.conversation.find(event["item_id"])
    call.emit(events.event("conversation.item.retrieved", item=item.shown()))


def item_truncate(call: "Call", event: Event) -> None:
    heard = timedelta(milliseconds=event["audio_end_ms"])
    call.dialogue.conversation.truncate(event["item_id"], heard)
    names = ("item_id", "content_index", "audio_end_ms")
    call.emit(events.event("conversation.item.truncated", **{name: event[name] for name in names}))


def item_delete(call: "Call", event: Event) -> None:
    call.dialogue.conversation.delete(event["item_id"])
    call.emit(events.event("conversation.item.deleted", item_id=event["item_id"]))


def input_append(call: "Call", event: Event) -> None:
    call.turns.hear(input_audio.decoded(event["audio"], "audio"))


def input_commit(call: "Call", event: Event) -> None:  # noqa: ARG001
    call.turns.commit()


def input_clear(call: "Call", event: Event) -> None:  # noqa: ARG001
    call.turns.ears.clear()
    call.emit(events.event("input_audio_buffer.cleared"))


def response_create(call: "Call", event: Event) -> None:
    call.dialogue.respond(event.get("response") or {}, event.get("event_id"))


def response_cancel(call: "Call", event: Event) -> None:
    call.dialogue.cancel(event.get("response_id"))


def output_clear(call: "Call", event: Event) -> None:  # noqa: ARG001
    call.dialogue.output.clear()


Command = Callable[["Call", Event], None]


def takes(required: Mapping[str, Check] | None = None, **optional: Check) -> Check:
    """The fields of a client event beside `type` and `event_id`."""
    needed = dict(required or {})
    common: dict[str, Check] = {"type": string, "event_id": nullable(string)}
    return obj({**common, **needed, **optional}, required=tuple(needed))


ITEM_ID = {"item_id": string}
COMMANDS: dict[str, tuple[Check, Command]] = {
    "session.update": (takes({"session": schema.SESSION}), session_update),
    "input_audio_buffer.append": (takes({"audio": string}), input_append),
    "input_audio_buffer.commit": (takes(), input_commit),
    "input_audio_buffer.clear": (takes(), input_clear),
    "conversation.item.create": (
        takes({"item": schema.ITEM}, previous_item_id=nullable(string)),
        item_create,
    ),
    "conversation.item.retrieve": (takes(ITEM_ID), item_retrieve),
    "conversation.item.truncate": (
        takes({**ITEM_ID, "content_index": integer(0, 1000), "audio_end_ms": integer(0, HOUR_MS)}),
        item_truncate,
    ),
    "conversation.item.delete": (takes(ITEM_ID), item_delete),
    "response.create": (takes(response=nullable(schema.RESPONSE)), response_create),
    "response.cancel": (takes(response_id=nullable(string)), response_cancel),
    "output_audio_buffer.clear": (takes(), output_clear),
}
