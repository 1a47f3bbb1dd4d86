"""Server and client events of the official types, and what becomes of them in odd hands.

`sample` builds an event that the types accept, with ids from a small pool, so that events are about
each other's items and responses; `mutate` changes it: other types, missing fields, lone surrogates,
deep nesting, enormous numbers, long texts. Everything is drawn from one `Random`.
"""

from __future__ import annotations

import copy
import json
import types
from random import Random
from typing import Any, Literal, Union, get_args, get_origin

from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel

Json = dict[str, Any]
DEEPEST = 6
POOLS = {
    "event_id": "event",
    "item_id": "item",
    "previous_item_id": "item",
    "response_id": "resp",
    "call_id": "call",
    "conversation_id": "conv",
}
WORDS = ("hello", "where is my order", "4111 1111 1111 1111", "anna@example.com", "\ud83d", "", "ß")
TOOLS = ("order_status", "current_time", "page_tool", "\ud83d")


def members(union: Any) -> tuple[type[BaseModel], ...]:
    """The classes of an annotated union of events."""
    (inner, *_) = get_args(union)
    return get_args(inner)


SERVER_EVENTS = members(RealtimeServerEvent)
CLIENT_EVENTS = members(RealtimeClientEvent)
LIKELY = (
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.retrieved",
    "conversation.item.deleted",
    "response.created",
    "response.done",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "input_audio_buffer.committed",
    "session.updated",
    "error",
)
"""What the observer acts on: half of all events are of these types."""


def kind_of(model: type[BaseModel]) -> str:
    return str(get_args(model.model_fields["type"].annotation)[0])


BY_TYPE = {kind_of(model): model for model in SERVER_EVENTS}


def server_event(rng: Random) -> Json:
    """A server event that the official types accept."""
    kind = rng.choice(LIKELY) if rng.random() < 0.5 else rng.choice(list(BY_TYPE))
    event: Json = sample(BY_TYPE[kind], rng, kind)
    return event


def client_event(rng: Random) -> Json:
    """A client event that the official types accept."""
    event: Json = sample(rng.choice(CLIENT_EVENTS), rng, "")
    return event


def pooled(prefix: str, rng: Random) -> str:
    return f"{prefix}_{rng.randrange(40)}"


def sample(annotation: Any, rng: Random, name: str, depth: int = 0) -> Any:
    """A value of an annotated type. `name` is that of the field it is for."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return rng.choice(arguments)
    if origin in (Union, types.UnionType):
        return sample(rng.choice(arguments), rng, name, depth)
    if origin is list:
        count = 0 if depth > DEEPEST else rng.choice((0, 1, 1, 2))
        return [sample(arguments[0], rng, name, depth + 1) for _ in range(count)]
    if origin is dict:
        return {"name": rng.choice(WORDS)}
    if origin is not None and arguments:  # Annotated
        return sample(arguments[0], rng, name, depth)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return sample_model(annotation, rng, name, depth)
    return sample_scalar(annotation, rng, name)


def sample_model(model: type[BaseModel], rng: Random, name: str, depth: int) -> Json:
    found: Json = {}
    for field, about in model.model_fields.items():
        if not about.is_required() and (depth > DEEPEST or rng.random() < 0.4):
            continue
        found[field] = sample(about.annotation, rng, field, depth + 1)
    if "id" in found:
        prefix = "resp" if name == "response" or "Response" in model.__name__ else "item"
        found["id"] = pooled(prefix, rng)
    return found


def sample_scalar(annotation: Any, rng: Random, name: str) -> Any:
    if annotation is str:
        if name in POOLS:
            return pooled(POOLS[name], rng)
        if name == "name":
            return rng.choice(TOOLS)
        if name == "arguments":
            return rng.choice(('{"order_number": "1002"}', "{}", "{", "[]", "[" * 2000))
        return rng.choice(WORDS)
    if annotation is bool:
        return rng.random() < 0.5
    if annotation is int:
        return rng.choice((0, 1, 10, 100, 5000))
    if annotation is float:
        return rng.choice((0.0, 0.5, 100.25))
    return rng.choice((None, "odd", {"odd": 1}))


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def odd_value(rng: Random) -> Any:
    """A value that no field expects."""
    choices: tuple[Any, ...] = (
        None, True, 0, -1, 2**63, 2**64, -(2**70), 10**400, 1.5, 1e308, float("nan"), float("inf"),
        "", "\ud83d", "\udc80" * 20, "\x00\x1f", "x" * 40_000, "eyJ" * 5000, "4111 " * 3000,
        "é" * 600,
        [], {}, [[]], [None], ["item_1"], {"\ud83d": 1}, {"": ""}, {"id": {}}, [{}] * 300,
    )  # fmt: skip
    value = rng.choice(choices)
    return deep(rng.choice((3, 90, 400))) if rng.random() < 0.05 else copy.deepcopy(value)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything inside a value."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    found = []
    for key, each in inner[:20]:
        found.append((*path, key))
        if len(path) < DEEPEST:
            found += places(each, (*path, key))
    return found


def mutate(event: Json, rng: Random) -> Json:
    """The event with up to three things about it changed."""
    changed = copy.deepcopy(event)
    for _ in range(rng.choice((1, 1, 2, 3))):
        found = places(changed)
        if not found:
            break
        path = rng.choice(found)
        owner: Any = changed
        for key in path[:-1]:
            owner = owner[key]
        action = rng.random()
        if action < 0.2 and isinstance(owner, dict):
            del owner[path[-1]]
        elif action < 0.3 and isinstance(owner, dict):
            owner[rng.choice(("\ud83d", "x" * 300, "id", "type"))] = odd_value(rng)
        elif action < 0.4:
            owner[path[-1]] = [owner[path[-1]]]
        else:
            owner[path[-1]] = odd_value(rng)
    return changed


def frame(event: Any, rng: Random) -> str | bytes:
    """The event as a frame of the sideband: mostly JSON, sometimes none."""
    text = json.dumps(event, ensure_ascii=rng.random() < 0.9)
    chance = rng.random()
    if chance < 0.01:
        return text[: rng.randrange(len(text) + 1)]
    if chance < 0.015:
        return "[" * 100_000
    if chance < 0.02:
        return rng.randbytes(50)
    if chance < 0.021:
        return '{"type":"error","error":[' + "{}," * 300_000 + "{}]}"
    return text


def server_frame(rng: Random) -> str | bytes:
    """A frame that a sideband may bring: half of them are as they should be."""
    event = server_event(rng)
    return frame(event if rng.random() < 0.5 else mutate(event, rng), rng)


def page_message(rng: Random) -> str:
    """What a page may send on its data channel."""
    event = client_event(rng)
    return json.dumps(event if rng.random() < 0.7 else mutate(event, rng))
