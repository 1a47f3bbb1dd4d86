"""Which events two sidebands have both brought."""

from __future__ import annotations

from typing import Any

import pytest

from shared.realtime.server_event_parser import parse_server_event
from shared.sideband.fingerprints import NONE, fingerprint, from_text, handled_before, to_text


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "event_id": "event_1", **fields}


def test_equal_events_have_one_fingerprint_whatever_their_ids() -> None:
    session = {"type": "realtime", "instructions": "x"}
    one = parse_server_event(event("session.updated", session=session))
    other = parse_server_event({**event("session.updated", session=session), "event_id": "event_2"})
    changed = parse_server_event(event("session.updated", session={**session, "voice": "marin"}))
    assert fingerprint(one) == fingerprint(other) != fingerprint(changed)
    refused = parse_server_event(event("error", error={"type": "invalid_request_error"}))
    assert fingerprint(refused) == NONE


@pytest.mark.parametrize(
    ("handled", "events", "before"),
    [
        ([], [1, 2], 0),
        ([1, 2], [], 0),
        ([1, 2, 3], [2, 3, 4], 2),
        ([1, 2, 3], [1, 2, 3], 3),
        ([1, 2, 3], [3, 1], 1),
        # It came before the connection was made, and again since.
        ([7, 1, 2], [7, 8], 0),
        ([5, 5], [5, 5, 5], 2),
        # Only one of the two got the error.
        ([1, NONE, 2], [1, 2, 3], 2),
        ([1, 2], [1, NONE, 2, NONE, 3], 3),
        ([1, 2, 3], [4, 5], 0),
    ],
)
def test_what_was_handled_is_found(handled: list[int], events: list[int], before: int) -> None:
    assert handled_before(handled, events) == before


def test_they_fit_into_a_row() -> None:
    assert from_text(to_text([1, NONE, 0xFFFFFFFF])) == [1, 0xFFFFFFFF]
    assert from_text("") == []
    assert from_text("no number") == []
