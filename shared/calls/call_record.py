"""One call as it is on record, and its row.

Rows are partitioned by day and sorted newest first within a day, so that a page of the list is one
query. An id says where its row is: `<day>-<milliseconds left in the day>-<the booking's name>`.
Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from shared.calls.record_ids import is_record_id, partition_and_row, start_in_id
from shared.config.settings import DEFAULT_ENDPOINT
from shared.config.voice_api import REALTIME, VoiceApi, voice_api
from shared.core.json_reader import read_object
from shared.storage.interfaces import Entity, Value
from shared.storage.row_layout import unknown_values, value_of
from shared.transcripts.failures import known_counts
from shared.usage import turn_latency

BY_BROKER, BY_KEY = "connect", "token"
"""How a call was started: by the broker, or by its page with a key."""
LIVE, ENDED = "live", "ended"
"""Whether a call is over."""
CONTINUED = "continued"
"""Why a call is over that another one continues."""
ENDED_BY_ITSELF = ("caller", "limit", "time limit", "closed", "gone")
"""What else ends such a call: all of it comes of being continued."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call. `ended_by` says why it is over and is empty while it is live. `settled_by` says
    what proves that (calls/termination.py); it is empty until something does, and for calls that an
    earlier release took to be over.

    `started_by` is BY_BROKER or BY_KEY. `reference` is its booking in the ledger. `usage` holds
    tokens by kind as the observer counted them, and of a Live call its `seconds`, of which it was
    active or paused. Where nobody observed the call it is empty until it is settled, and of a Live
    call the clock's from then on.
    `transcription` is the same for what transcribed the caller, in tokens or seconds. `failures`
    counts what failed, by what it was and by the endpoint's code
    (`{"response_failed": {"rate_limit_exceeded": 2}}`), `latency` how many turns waited how long
    for their answers (usage/turn_latency.py). `session_model` is the model that the
    session named; `model` may be a deployment's name. `cost` is by the price table of the day
    `prices_as_of`. `api` is the API that it speaks. `continues` is the record of the call that it
    continues, `continued_by` that of the one which continues it; `conversation_ends_at` says until
    when, where that is not its own end. `end_published_at` says when the message about its end was
    sent (calls/end_events.py). `endpoint` is the name of the endpoint that it belongs to; "" for
    `default`, and in the rows of calls from before there were several (`Records`).
    """

    id: str
    call_id: str = field(repr=False)
    reference: str
    caller_id: str
    profile: str
    model: str
    started_by: str
    started_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None
    ended_by: str = ""
    usage: Mapping[str, Any] = field(default_factory=dict)
    cost: str = ""
    observed: str = ""
    settled_by: str = ""
    transcription: Mapping[str, Any] = field(default_factory=dict)
    failures: Mapping[str, Any] = field(default_factory=dict)
    latency: Mapping[str, Any] = field(default_factory=dict)
    session_model: str = ""
    prices_as_of: str = ""
    api: VoiceApi = REALTIME
    continues: str = ""
    continued_by: str = ""
    conversation_ends_at: datetime | None = None
    end_published_at: datetime | None = None
    endpoint: str = ""

    @property
    def conversation_end(self) -> datetime:
        """Until when the call and those that continue it may last together."""
        return self.conversation_ends_at or self.ends_at

    @property
    def endpoint_name(self) -> str:
        """The name of the endpoint that it belongs to."""
        return self.endpoint or DEFAULT_ENDPOINT

    @property
    def status(self) -> str:
        """`live` or `ended`."""
        return ENDED if self.ended_at else LIVE

    def public(self) -> dict[str, Any]:
        """What an admin may see: everything but what joins the call, books it or settles it."""
        shown = {
            STORED_NAMES.get(each.name, each.name): getattr(self, each.name)
            for each in fields(self)
            if each.name not in INTERNAL
        }
        for moment in TIMES - INTERNAL:
            value = shown[moment]
            shown[moment] = value.isoformat(timespec="milliseconds") if value else None
        shown["failures"] = known_counts(self.failures)
        shown["latency"] = turn_latency.summary(turn_latency.from_stored(self.latency))
        shown = {name: value for name, value in shown.items() if not is_left_out(name, value)}
        shown["status"] = self.status
        shown["endpoint"] = self.endpoint_name
        return shown


SELDOM = (
    *("transcription", "failures", "latency", "session_model", "prices_as_of"),
    *("continues", "continued_by", "conversation_ends_at", "endpoint"),
)
"""Left out where they are empty."""
API = "api"
"""Left out of calls of Realtime: an older release's rows have none."""
STORED_NAMES = {"caller_id": "caller", "started_by": "way"}
"""Fields whose column, which the API shows too, has an older name."""
TIMES = {"started_at", "ends_at", "ended_at", "conversation_ends_at", "end_published_at"}
INTERNAL = {"call_id", "reference", "settled_by", "end_published_at"}
"""What no API shows."""
JSON_COLUMNS = ("usage", "transcription", "failures", "latency")
COLUMNS = {
    each.name: STORED_NAMES.get(each.name, each.name)
    for each in fields(CallRecord)
    if each.name not in ("id", *JSON_COLUMNS)
}
IN_COLUMNS = attrgetter(*COLUMNS)
SOMETIMES = {API, *SELDOM}


def to_entity(record: CallRecord) -> Entity:
    """The row of a record."""
    # Not `asdict`, which copies deeply: that is a tenth of the work of starting a call.
    values: dict[str, Value] = {
        COLUMNS[name]: value
        for name, value in zip(COLUMNS, IN_COLUMNS(record), strict=True)
        if value is not None and not (name in SOMETIMES and is_left_out(name, value))
    }
    values |= {
        name: json.dumps(value)
        for name in JSON_COLUMNS
        if (value := getattr(record, name)) or name not in SELDOM
    }
    return Entity(*partition_and_row(record.id), values)


def is_left_out(name: str, value: Any) -> bool:
    """Whether a field with that value is neither stored nor shown."""
    return value == REALTIME if name == API else not value and name in SELDOM


def updated_values(entity: Entity, record: CallRecord) -> dict[str, Value]:
    """The values of a record's row with what has changed. What a later release added stays."""
    unknown = unknown_values(entity.values, {*COLUMNS.values(), *JSON_COLUMNS}.__contains__)
    return {**unknown, **to_entity(record).values}


def from_entity(entity: Entity) -> CallRecord:
    """The record in a row.

    People edit rows by hand and restore half of them: what cannot be read costs that record alone.
    Without its end a call's time is up, so that it is ended.
    """
    objects = {name: read_object(str(entity.values.get(name))) for name in JSON_COLUMNS}
    words = COLUMNS.keys() - {*TIMES, API}
    texts = {name: value_of(entity, COLUMNS[name], str) or "" for name in words}
    name = f"{entity.partition}-{entity.row}"
    started_at = value_of(entity, "started_at", datetime) or start_in_id(name)
    return CallRecord(
        id=name,
        usage=objects["usage"],
        transcription=objects["transcription"],
        failures=objects["failures"],
        latency=objects["latency"],
        started_at=started_at,
        ends_at=value_of(entity, "ends_at", datetime) or started_at,
        ended_at=value_of(entity, "ended_at", datetime),
        conversation_ends_at=value_of(entity, "conversation_ends_at", datetime),
        end_published_at=value_of(entity, "end_published_at", datetime),
        api=voice_api(value_of(entity, API, str) or ""),
        **texts,
    )


def stored_name(endpoint: str) -> str:
    """An endpoint's name as rows and handles have it, which leave out `default`."""
    return "" if endpoint == DEFAULT_ENDPOINT else endpoint


def records_in(rows: Iterable[Entity]) -> Iterator[CallRecord]:
    """The records in rows; a row that no call has is nothing of ours."""
    return (from_entity(row) for row in rows if is_record_id(f"{row.partition}-{row.row}"))
