"""What the server sends to a Live session: every event is one of the official types', within the
session's limits."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from openai.types.live import ClientEvent
from pydantic import BaseModel, TypeAdapter

from shared.live import client_events
from shared.live.client_events import APPEND_BYTES, within
from shared.live.input_budget import (
    ALWAYS,
    CUT,
    MOST_BYTES,
    MOST_ITEMS,
    REFUSED,
    InputBudget,
)
from shared.live.speakable import LEFT_OUT, PIECES, pieces_of

RESPONSES: dict[str, Any] = {
    "model": "gpt-5.6-sol",
    "instructions": None,
    "tools": [],
    "tool_choice": "auto",
}
EVENTS = [
    client_events.read_session("obs_1"),
    client_events.update_session({"triggers": []}, "obs_1"),
    client_events.update_session(
        {"delegation": {"type": "responses", "responses": RESPONSES}}, "obs_1"
    ),
    client_events.append_instructions("Say goodbye.", "obs_1"),
    client_events.append_thinking("The caller waits.", "obs_1"),
    client_events.append_commentary("It is on its way.", "obs_1"),
    client_events.append_commentary("It is on its way.", "obs_1", "item_1"),
    client_events.create_item(client_events.function_output("call_1", "{}"), "obs_1"),
    client_events.create_response("obs_1"),
    client_events.close_session("obs_1"),
]
CLIENT_EVENTS: TypeAdapter[Any] = TypeAdapter(ClientEvent)


def known_fields(model: BaseModel) -> set[str]:
    return set(type(model).model_fields)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["type"])
def test_every_event_is_one_of_the_official_types(event: dict[str, Any]) -> None:
    kinds = get_args(get_args(ClientEvent)[0])
    (kind,) = [
        each for each in kinds if get_args(each.model_fields["type"].annotation) == (event["type"],)
    ]
    read = kind.model_validate(json.loads(json.dumps(event)))
    assert not read.model_extra
    assert set(event) <= known_fields(read)
    CLIENT_EVENTS.validate_python(event)


def test_an_append_names_its_delegation_even_if_there_is_none() -> None:
    assert client_events.append_commentary("x", "obs_1")["delegation_id"] is None


@pytest.mark.parametrize(
    "text", ["x" * 5000, "é" * 5000, "\U0001f600" * 5000, "日本" * 2000, "\ud83d" * 900]
)
def test_an_append_is_within_its_bytes(text: str) -> None:
    content = client_events.append_instructions(text, "obs_1")["content"]
    assert APPEND_BYTES - 4 < len(content.encode()) <= APPEND_BYTES


@pytest.mark.parametrize(
    "text",
    [
        "One. " * 200, "word " * 800, "x" * 3000, "一" * 900, "。" * 900, "", "   ", "\n" * 50,
        "No end", "A! B? C… " * 90, "\U0001f600" * 900,
    ],
)  # fmt: skip
def test_a_text_is_cut_into_pieces_that_can_be_spoken(text: str) -> None:
    pieces = pieces_of(text)
    assert len(pieces) <= PIECES
    assert all(0 < len(piece.encode()) <= APPEND_BYTES for piece in pieces)
    if pieces and not pieces[-1].endswith(LEFT_OUT):
        assert "".join("".join(pieces).split()) == "".join(text.split())


def test_pieces_end_between_sentences() -> None:
    sentence = "The parcel is on its way and arrives tomorrow. "
    pieces = pieces_of(sentence * 20)
    assert len(pieces) == 2
    assert all(piece.endswith("tomorrow.") for piece in pieces)


def test_what_is_left_out_is_said() -> None:
    pieces = pieces_of("The parcel is on its way and arrives tomorrow. " * 500)
    assert len(pieces) == PIECES
    assert pieces[-1].endswith(LEFT_OUT)


def test_within_never_splits_a_character() -> None:
    assert within("aé", 2) == "a"


def deliver(budget: InputBudget, output: str) -> str | None:
    fitting = budget.fit("call_1", output)
    if fitting is not None:
        budget.spend(budget.size("call_1", fitting))
    return fitting


def test_short_outputs_are_delivered_as_they_are() -> None:
    budget = InputBudget()
    assert deliver(budget, "sunny") == "sunny"
    assert budget.items == 1


def test_a_long_output_is_cut_so_that_others_find_room() -> None:
    budget = InputBudget()
    first = deliver(budget, "x" * 100_000)
    assert first is not None
    assert first.endswith(CUT)
    assert 5_000 < len(first) < 9_000
    sizes = []
    while (found := deliver(budget, "é" * 100_000)) not in (REFUSED, None):
        sizes.append(len(str(found).encode()))
    assert len(sizes) >= 6
    assert min(sizes[:-1]) >= ALWAYS - 200


def test_the_last_room_is_for_refusals_and_then_nothing_fits() -> None:
    budget, given = InputBudget(), []
    while (found := deliver(budget, "y" * 3_000)) is not None:
        given.append(found)
    assert given.count(REFUSED) >= 8
    assert budget.bytes <= MOST_BYTES
    assert budget.items <= MOST_ITEMS


def test_many_small_outputs_use_up_the_items() -> None:
    budget, given = InputBudget(), 0
    while deliver(budget, "ok") is not None:
        given += 1
    assert given == MOST_ITEMS


def test_what_is_over_stays_over() -> None:
    budget = InputBudget()
    budget.is_over = True
    assert budget.fit("call_1", "ok") is None
