"""What failed in a call: the names, the counts, and the lines of its record that tell. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.transcripts.record_lines import CARRIED_OVER, StoredLine

RESPONSE_FAILED = "response_failed"
RESPONSE_INCOMPLETE = "response_incomplete"
TRANSCRIPTION_FAILED = "transcription_failed"
TOOLS_NOT_LISTED = "mcp_list_tools_failed"
MCP_CALL_FAILED = "mcp_call_failed"
OUTPUT_REFUSED = "tool_output_refused"
UPDATE_REFUSED = "session_update_refused"
ENDPOINT_ERROR = "endpoint_error"
APPEND_REFUSED = "append_refused"
DELEGATION_FAILED = "delegation_failed"
SESSION_ENDED = "session_ended"
TOOLS_ENDED = "tools_ended"
"""Of Live calls: what the server told the model was not taken, delegated work came to nothing, the
service has ended the session, and no output of a function can be delivered any more."""
UNKNOWN_CODE = "unknown"
FILTERED = "content_filter"
NOT_FAILED = ("completed", "cancelled", "in_progress", CARRIED_OVER, None)
"""Statuses of a response."""
Counts = Mapping[str, Mapping[str, int]]
"""How often what has failed in a call, by code."""
CODES_AT_MOST = 20
OTHER_CODES = "other"


@dataclass(frozen=True, slots=True)
class Failure:
    """Something in a call that failed: `what` is one of the names above, `key` tells it from others
    of the same, `code` is the endpoint's, where it told one."""

    what: str
    key: str
    code: str = UNKNOWN_CODE


def failure_of_response(key: str, status: str | None, code: str) -> Failure | None:
    """The failure that a response's status is."""
    if status in NOT_FAILED and (status, code) != ("cancelled", FILTERED):
        return None
    return Failure(RESPONSE_INCOMPLETE if status == "incomplete" else RESPONSE_FAILED, key, code)


class FailureCounter:
    """How often what has failed in one call, by code."""

    def __init__(self) -> None:
        self.counts: dict[str, dict[str, int]] = defaultdict(dict)

    def count(self, what: str, code: str, number: int = 1) -> None:
        """Counts failures. Those of too many different codes count together."""
        codes = self.counts[what]
        if code not in codes and len(codes) >= CODES_AT_MOST:
            code = OTHER_CODES
        codes[code] = codes.get(code, 0) + number

    def resume(self, lines: Iterable[StoredLine]) -> list[Failure]:
        """Counts what a record tells of; returns it."""
        found = []
        for line in lines:
            if failure := failure_in_line(line):
                number = line.fields.get("count", 1)
                self.count(failure.what, failure.code, number if isinstance(number, int) else 1)
                found.append(failure)
        return found

    def snapshot(self) -> dict[str, dict[str, int]]:
        """The counts so far."""
        return {what: dict(codes) for what, codes in self.counts.items()}


def failure_in_line(line: StoredLine) -> Failure | None:
    """The failure that a line of a record tells of; records of earlier releases have those of
    responses."""
    if line.kind == "response":
        code = str(line.fields.get("reason") or UNKNOWN_CODE)
        return failure_of_response(line.key, line.fields.get("status"), code)
    if line.kind != "failed":
        return None
    what, code = str(line.fields.get("what", "")), str(line.fields.get("code") or UNKNOWN_CODE)
    return Failure(what, line.key.partition(" ")[2], code)


def larger_counts(stored: Mapping[str, Any], counted: Counts) -> dict[str, Any]:
    """The larger of two counts of the same call, each: no run undoes another's. What a later
    release has stored in another form stays."""
    merged = dict(stored)
    known = known_counts(stored)
    for what, codes in counted.items():
        mine = dict(known.get(what, {}))
        for code, number in codes.items():
            mine[code] = max(mine.get(code, 0), number)
        merged[what] = mine
    return merged


def known_counts(stored: Mapping[str, Any]) -> Counts:
    """The counts of a record that this release understands."""
    return {
        what: {code: number for code, number in codes.items() if isinstance(number, int)}
        for what, codes in stored.items()
        if isinstance(codes, Mapping)
    }
