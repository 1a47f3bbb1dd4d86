"""Replies -> dataclasses. Pure. Each raises one of UNREADABLE for what is not as in the contract
(openapi.json of the broker)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from realtime_client.addresses import call_url, handle_in, valid_call_id
from realtime_client.models import (
    CallPage,
    CallRecord,
    CallStatus,
    Counts,
    Entry,
    Latency,
    RegisteredCall,
    StartedCall,
    Token,
)
from realtime_client.problems import text
from realtime_client.wire import Reply

Json = Mapping[str, Any]
REALTIME = "realtime"


def read_started(reply: Reply) -> StartedCall:
    answer = reply.body.decode()
    if not answer.startswith("v=0"):
        raise ValueError("the body is not an SDP answer")
    url = call_url(reply)
    return StartedCall(
        answer=answer,
        handle=handle_in(url),
        url=url,
        api=reply.headers["x-voice-api"],
        is_continued=reply.headers["x-conversation"] == "continued",
        request_id=reply.headers.get("x-request-id", ""),
    )


def read_registered(reply: Reply) -> RegisteredCall:
    url = call_url(reply)
    return RegisteredCall(
        handle=handle_in(url),
        url=url,
        api=reply.headers["x-voice-api"],
        request_id=reply.headers.get("x-request-id", ""),
    )


def read_token(reply: Reply) -> Token:
    body = reply.json()
    return Token(
        value=text(body["value"]),
        expires_at=datetime.fromtimestamp(body["expires_at"], UTC),
        url=text(body["url"]),
        endpoint=text(body["endpoint"]),
        model=text(body["model"]),
    )


def read_status(reply: Reply) -> CallStatus:
    return CallStatus(**common_fields(reply.json()))


def read_nothing(_: Reply) -> None:
    """Of a 204."""


def read_answered_by(reply: Reply) -> str:
    return text(reply.json()["answered_by"] or "")


def read_page(reply: Reply, before: str = "") -> CallPage:
    """A page, and where the next one begins: not where this one did, which would have no end."""
    body = reply.json()
    following = valid_call_id(text(body["next"])) if body["next"] else ""
    if following and following == before:
        raise ValueError("the next page is this one")
    return CallPage(tuple(map(call_record, body["calls"])), following)


def common_fields(call: Json) -> dict[str, Any]:
    """What callers and admins see of a call."""
    return {
        "id": text(call.get("id", "")),
        "status": text(call["status"]),
        "started_at": moment(call.get("started_at")),
        "ends_at": moment(call.get("ends_at")),
        "ended_at": moment(call.get("ended_at")),
        "ended_by": text(call.get("ended_by", "")),
        "usage": counts(call.get("usage")),
        "transcription": counts(call.get("transcription")),
        "failures": {
            what: whole_numbers(codes) for what, codes in (call.get("failures") or {}).items()
        },
        "api": text(call.get("api", REALTIME)),
        "conversation_ends_at": moment(call.get("conversation_ends_at")),
    }


def call_record(call: Json) -> CallRecord:
    latency = call.get("latency")
    return CallRecord(
        **common_fields(call),
        caller=text(call.get("caller", "")),
        profile=text(call.get("profile", "")),
        model=text(call.get("model", "")),
        started_by=text(call.get("way", "")),
        endpoint=text(call.get("endpoint", "")),
        observed=text(call.get("observed", "")),
        cost=text(call.get("cost", "")),
        prices_as_of=text(call.get("prices_as_of", "")),
        session_model=text(call.get("session_model", "")),
        latency=latency_of(latency) if latency else None,
        continues=text(call.get("continues", "")),
        continued_by=text(call.get("continued_by", "")),
        json=call,
    )


def latency_of(found: Json) -> Latency:
    p50, p95, longest = (
        timedelta(milliseconds=found[name]) for name in ("p50_ms", "p95_ms", "max_ms")
    )
    return Latency(int(found["turns"]), p50, p95, longest)


def entry_of(found: Json) -> Entry:
    at = moment(found["at"])
    if at is None:
        raise ValueError("an entry without a time")
    latency = found.get("latency_ms")
    return Entry(
        kind=text(found["kind"]),
        at=at,
        item_id=text(found.get("item_id", "")),
        role=text(found.get("role", "")),
        origin=text(found.get("origin", "")),
        text=optional_text(found.get("text")),
        is_interrupted=bool(found.get("interrupted", False)),
        heard_text=optional_text(found.get("heard_text")),
        name=text(found.get("name", "")),
        arguments=text(found.get("arguments", "")),
        output=text(found.get("output", "")),
        latency=None if latency is None else timedelta(milliseconds=latency),
        json=found,
    )


def moment(value: Any) -> datetime | None:
    """A time, which must have a zone."""
    if value is None:
        return None
    found = datetime.fromisoformat(text(value))
    if found.tzinfo is None:
        raise ValueError("a time without a zone")
    return found


def counts(value: Any) -> Counts:
    """Numbers by kind."""
    found = dict(value or {})
    if any(isinstance(each, bool) or not math.isfinite(each) for each in found.values()):
        raise ValueError("expected numbers")
    return found


def whole_numbers(value: Any) -> dict[str, int]:
    """How often what happened."""
    found = dict(value)
    if any(type(each) is not int for each in found.values()):
        raise ValueError("expected whole numbers")
    return found


def optional_text(value: Any) -> str | None:
    return None if value is None else text(value)
