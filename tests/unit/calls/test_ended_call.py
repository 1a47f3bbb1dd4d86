"""What a message says of a call that has ended."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from shared.auth.caller import Caller
from shared.calls.call_status import status_for_caller
from shared.calls.ended_call import MOST_BYTES, KeptFiles, ended_call_message
from shared.calls.new_call import open_handle
from tests.unit.calls.telling import (
    HANDLES,
    NAME,
    NOW,
    RECORD,
    SCHEMA,
    Telling,
)


def test_a_message_says_what_the_record_says_and_where_the_words_lie(telling: Telling) -> None:
    telling.log.append("rtc_1.jsonl", b"what was said\n", at=0)
    record = replace(
        RECORD,
        usage={"text_in": 5, "seconds": 1.5, "of a later release": 7},
        cost="0.0123",
        prices_as_of="2029-12-01",
        observed="yes",
        session_model="gpt-realtime-1.5",
        failures={"response_failed": {"words of a page": 1}},
    )
    telling.records.insert(record)
    telling.now += timedelta(seconds=61.5)
    telling.terminator.end_by_admin(NAME)
    [message] = telling.messages()
    handle = message.pop("handle")
    sealed = open_handle(HANDLES, handle, Caller("ada", frozenset(), "anonymous"))
    assert (sealed.call_id, sealed.record_id) == ("rtc_1", NAME)
    assert message == {
        "schema": 1,
        "call": NAME,
        "caller": "ada",
        "profile": "default",
        "model": "gpt-realtime",
        "session_model": "gpt-realtime-1.5",
        "api": "realtime",
        "endpoint": "default",
        "started_by": "connect",
        "started_at": "2030-01-01T12:00:00.000+00:00",
        "ends_at": "2030-01-01T12:15:00.000+00:00",
        "ended_at": "2030-01-01T12:01:01.500+00:00",
        "ended_by": "admin",
        "seconds": 61.5,
        "observed": True,
        "usage": {"text_in": 5, "seconds": 1.5},
        "cost": "0.0123",
        "prices_as_of": "2029-12-01",
        "transcript": {
            "container": "transcripts",
            "blob": "rtc_1.jsonl",
            "route": f"calls/{NAME}/transcript",
        },
    }
    assert "what was said" not in json.dumps(message)


def test_a_message_names_the_endpoint_that_the_call_belonged_to(telling: Telling) -> None:
    telling.records.insert(replace(RECORD, endpoint="sweden"))
    telling.terminator.end_by_admin(NAME)
    assert [each["endpoint"] for each in telling.messages()] == ["sweden"]


def test_the_caller_learns_the_id_that_messages_have(telling: Telling) -> None:
    assert status_for_caller(RECORD)["id"] == NAME


numbers = st.one_of(st.floats(), st.integers(), st.integers(min_value=10**300), st.text())


@example(texts=["\0" * 3000] * 10, usage={}, moment=NOW)
@example(texts=["\ud800\U0010ffff" * 1500] * 10, usage={}, moment=NOW)
@given(
    texts=st.lists(st.text(max_size=3000), min_size=10, max_size=10),
    usage=st.dictionaries(
        st.sampled_from(["text_in", "seconds"]) | st.text(), numbers, max_size=60
    ),
    moment=st.datetimes(timezones=st.just(UTC)),
)
def test_no_message_is_too_large_for_the_queue_or_breaks_the_schema(
    texts: list[str], usage: dict[str, Any], moment: datetime
) -> None:
    record = replace(
        RECORD,
        caller_id=texts[0],
        profile=texts[1],
        endpoint=texts[7],
        model=texts[2],
        session_model=texts[3],
        ended_by=texts[4],
        cost=texts[5],
        prices_as_of=texts[6],
        continues=texts[7],
        continued_by=texts[8],
        observed=texts[9],
        usage=usage,
        transcription=usage,
        ended_at=moment,
    )
    kept = KeptFiles("x" * 512, "y" * 512)
    body = ended_call_message(record, "h" * 512, "transcripts", kept)
    assert len(body.encode()) <= MOST_BYTES
    assert not list(SCHEMA.iter_errors(json.loads(body)))
