"""Handles: all that a client learns of a call's id."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.calls.handles import LONGEST_CALL_ID, Handles
from shared.core.problems import Problem

SECRET = "first secret of the broker, 32 bytes and more"
NEXT = "second secret of the broker, 32 bytes and more"
CALL = "rtc_u1_9fRkq2bVx7yZ0aBcDeFg"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
END = NOW + timedelta(minutes=15)


def handles(secret: str = SECRET, *previous: str, now: datetime = NOW) -> Handles:
    return Handles(secret, previous, clock=lambda: now)


def refused(opening: Handles, handle: str, *caller_ids: str) -> None:
    with pytest.raises(Problem) as problem:
        opening.open(handle, *caller_ids)
    assert (problem.value.code, problem.value.status) == ("call_not_found", 404)
    assert problem.value.detail == Problem("call_not_found").detail


def test_its_caller_opens_a_handle_until_it_expires() -> None:
    handle = handles().seal(CALL, "ada", END)
    assert handles().open(handle, "ada") == CALL
    assert handles(now=END - timedelta(milliseconds=1)).open(handle, "ada") == CALL
    refused(handles(now=END), handle, "ada")


def test_a_handle_is_short_url_safe_and_reveals_nothing() -> None:
    first, second = (handles().seal(CALL, "ada", END) for _ in range(2))
    assert first != second
    assert re.fullmatch(r"[A-Za-z0-9_-]{40,100}", first)
    assert CALL[4:] not in first


def test_nobody_else_opens_it() -> None:
    handle = handles().seal(CALL, "ada", END)
    refused(handles(), handle, "bob")
    refused(handles(), handle, "")
    refused(handles(), handle)
    refused(handles(NEXT), handle, "ada")


def test_no_changed_character_goes_unnoticed() -> None:
    handle = handles().seal(CALL, "ada", END)
    for index, character in enumerate(handle):
        for other in "AB-_":
            if other != character:
                refused(handles(), handle[:index] + other + handle[index + 1 :], "ada")
    refused(handles(), handle[:-1], "ada")
    refused(handles(), handle + "A", "ada")
    refused(handles(), handle + "=", "ada")


@settings(deadline=None)
@given(st.text() | st.text(alphabet="AQab01_-=", max_size=600))
def test_any_other_text_is_refused(text: str) -> None:
    refused(handles(), text, "ada")


def test_text_of_any_length_is_refused() -> None:
    for length in (0, 1, 49, 50, 51, 512, 513, 10_000_000):
        refused(handles(), "A" * length, "ada")
        refused(handles(), "AQ" * length, "ada")


def test_a_rotation_keeps_valid_handles_valid() -> None:
    old = handles().seal(CALL, "ada then", END)
    both = handles(NEXT, SECRET)
    assert both.open(old, "ada now", "ada then") == CALL
    assert handles(SECRET, NEXT).open(both.seal(CALL, "ada", END), "ada") == CALL
    refused(handles(NEXT), old, "ada now", "ada then")


@pytest.mark.parametrize("call_id", ["", "x" * (LONGEST_CALL_ID + 1)])
def test_an_invalid_call_id_is_not_sealed(call_id: str) -> None:
    with pytest.raises(ValueError, match="call id"):
        handles().seal(call_id, "ada", END)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Handles("short")
    with pytest.raises(ValueError, match="32 bytes"):
        Handles(SECRET, ["short"])
