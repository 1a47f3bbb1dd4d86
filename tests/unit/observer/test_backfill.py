"""Which missed items are requested, and when the tail is probed."""

from __future__ import annotations

from typing import Any

from shared.observer.realtime.backfill import Backfill
from shared.realtime.server_event_parser import parse_server_event


def added(name: str, previous: str | None = None) -> dict[str, Any]:
    item = {"id": name, "type": "message"}
    return {"type": "conversation.item.added", "previous_item_id": previous, "item": item}


def requests_for(backfill: Backfill, event: dict[str, Any]) -> list[dict[str, Any]]:
    return backfill.requests_for(parse_server_event(event))


def asked(events: list[dict[str, Any]]) -> list[str]:
    return [e["item_id"] for e in events if e["type"] == "conversation.item.retrieve"]


def test_the_item_before_the_first_is_asked_for_once() -> None:
    backfill = Backfill()
    assert asked(requests_for(backfill, added("c", "b"))) == ["b"]
    assert asked(requests_for(backfill, added("d", "c"))) == []
    told = {"type": "conversation.item.retrieved", "item": {"id": "b"}}
    assert asked(requests_for(backfill, told)) == []
    assert backfill.head == "b"
    assert not backfill.pending


def test_an_item_that_is_gone_ends_the_walk() -> None:
    backfill = Backfill()
    (request,) = requests_for(backfill, added("c", "b"))
    requests_for(backfill, {"type": "error", "error": {"event_id": request["event_id"]}})
    assert not backfill.pending
    assert backfill.head == "c"


def test_items_whose_beginning_was_missed_are_found_by_what_names_them() -> None:
    backfill = Backfill()
    words = "conversation.item.input_audio_transcription.completed"
    assert asked(requests_for(backfill, {"type": words, "item_id": "u"})) == ["u"]
    end = {"type": "conversation.item.done", "previous_item_id": "u", "item": {"id": "a"}}
    assert asked(requests_for(backfill, end)) == [], "requested already"
    assert asked(requests_for(backfill, added("b", "a"))) == []


def test_a_walk_is_bounded() -> None:
    backfill = Backfill(max_requests=3)
    (request,) = requests_for(backfill, added("i0", "i1"))
    names = [request["item_id"]]
    for number in range(1, 10):
        told = {"type": "conversation.item.retrieved", "item": {"id": f"i{number}"}}
        names += asked(requests_for(backfill, {**told, "previous_item_id": f"i{number + 1}"}))
    assert names == ["i1", "i2", "i3"]


def test_the_tail_is_probed_only_where_no_event_names_it() -> None:
    backfill = Backfill()
    requests_for(backfill, added("a"))
    assert backfill.probe_tail() == []
    backfill.start_over()
    (create,) = backfill.probe_tail()
    assert backfill.probe_tail() == []
    name = create["item"]["id"]
    assert len(name) <= 32, "the service accepts no longer id"
    remove, *rest = requests_for(backfill, added(name, "x"))
    assert (remove["type"], remove["item_id"]) == ("conversation.item.delete", name)
    assert asked(rest) == ["x"]


def test_an_item_under_the_id_of_a_probe_is_no_probe() -> None:
    backfill = Backfill()
    (create,) = backfill.probe_tail()
    name = create["item"]["id"]
    requests_for(backfill, added(name))
    (retrieve,) = requests_for(backfill, added(name, "b"))
    assert retrieve["type"] == "conversation.item.retrieve", "it is not ours to delete"
    assert asked(requests_for(backfill, added("c", name))) == []
    assert name in backfill.known
