"""A call that is followed: its status, entries in their places, and when it is over."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_client.following import CallEvents, Following
from realtime_client.models import TranscriptChange
from tests.unit.realtime_client.replies import CALL, CALL_ID, ENTRY, HANDLE, json_reply

NO_PLACES: list[Any] = ["0", -1, 1, 0.0, True, []]
LIVE = {**CALL, "status": "live", "ended_at": None, "ended_by": ""}


def said(text: str, **more: Any) -> dict[str, Any]:
    return {**ENTRY, "text": text, **more}


def take(
    following: Following, entries: Any = None, total: int = 0, call: Any = LIVE
) -> TranscriptChange | None:
    shown = {} if entries is None else {"transcript": {"entries": entries, "total": total}}
    body = {"call": call, "next": f"{total}-0123abcd", **shown}
    return following.take_reply(json_reply(body))


def test_the_events_of_a_call_are_the_changes_of_its_status() -> None:
    events = CallEvents(HANDLE)
    assert events.operation().request.path == f"/calls/{HANDLE}"
    assert events.operation().is_repeatable
    used = {**LIVE, "usage": {"text_in": 4}}
    later = {**CALL, "usage": {"text_in": 5}}
    calls = (LIVE, LIVE, used, used, used, CALL, CALL, later, later, later)
    told = []
    for number, call in enumerate(calls):
        told.append(events.take_reply(json_reply(call)))
        assert events.is_over == (number == len(calls) - 1)
    news = [(status.status, status.usage["text_in"]) for status in told if status]
    assert news == [("live", 3), ("live", 4), ("ended", 3), ("ended", 5)]


def test_the_events_of_what_cannot_be_a_handle_are_not_asked_for() -> None:
    with pytest.raises(ValueError, match="handle"):
        CallEvents(CALL_ID)


def texts(following: Following) -> list[str | None]:
    assert following.transcript
    return [entry.text for entry in following.transcript.entries]


def test_entries_are_put_in_their_places() -> None:
    following = Following(CALL_ID)
    assert following.operation().request.query == {}
    first = take(following, [said("a"), said("b")], 2)
    assert first
    assert first.changed == (0, 1)
    assert following.operation().request.query == {"after": "2-0123abcd"}
    later = take(following, [said("B", index=1), said("c", index=2)], 3)
    assert later
    assert later.changed == (1, 2)
    assert texts(following) == ["a", "B", "c"]
    assert [entry.text for entry in first.transcript.entries] == ["a", "b"], "it stays as it was"


def test_no_news_is_none_and_keeps_what_there_was() -> None:
    following = Following(CALL_ID)
    take(following, [said("a")], 1)
    assert take(following, total=1) is None
    assert texts(following) == ["a"]


def test_a_call_that_changes_is_news() -> None:
    following = Following(CALL_ID)
    take(following, [said("a")], 1)
    change = take(following, total=1, call=CALL)
    assert change
    assert change.changed == ()
    assert change.transcript.call.ended_by == "caller"


def test_a_transcript_that_was_deleted_begins_again() -> None:
    following = Following(CALL_ID)
    take(following, [said("a"), said("b")], 2)
    take(following, [said("new", index=0)], 1)
    assert texts(following) == ["new"]
    take(following, [], 0)
    assert texts(following) == []


def test_it_is_over_when_the_call_has_ended_and_two_replies_bring_nothing() -> None:
    following = Following(CALL_ID)
    take(following, [said("a")], 1)
    for _ in range(5):
        take(following, total=1)
        assert not following.is_over
    take(following, total=1, call=CALL)
    take(following, total=1, call=CALL)
    take(following, [said("late", index=1)], 2, CALL)
    over = []
    for _ in range(2):
        take(following, total=2, call=CALL)
        over.append(following.is_over)
    assert over == [False, True]
    assert texts(following) == ["a", "late"]


@pytest.mark.parametrize(
    ("entries", "total"),
    [
        ([said("c", index=2)], 3),
        ([{"kind": "message"}], 2),
        *(([said("x", index=place)], 1) for place in NO_PLACES),
        ([said("a"), said("b")], 1),
        (5, 1),
    ],
)
def test_what_does_not_fit_is_not_taken(entries: Any, total: int) -> None:
    following = Following(CALL_ID)
    take(following, [said("a")], 1)
    with pytest.raises((KeyError, TypeError, ValueError)):
        take(following, entries, total)
    assert texts(following) == ["a"]
    assert following.next == "1-0123abcd"


@pytest.mark.parametrize("after", ["\ud800", "1" * 501, None, 5])
def test_a_cursor_fits_into_a_url(after: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Following(CALL_ID).take_reply(json_reply({"call": LIVE, "next": after}))
