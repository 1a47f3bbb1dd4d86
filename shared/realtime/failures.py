"""What fails in a call, as the server events tell it. Pure.

The endpoint tells of these on the sideband and nowhere else: with `webrtcfilter=on` the page gets
none of them, and the caller gets silence (on Azure 28 of 112 responses failed as
`inference_rate_limit_exceeded`, measured on live traffic). A response that was cancelled has not
failed: the caller spoke, or a client cancelled it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from shared.core.bounded import BoundedSet
from shared.core.untrusted import hashed
from shared.realtime.known_names import known_code, known_type
from shared.realtime.server_events import (
    InputTranscriptionFailed,
    Item,
    ItemDone,
    McpCallFailed,
    McpListToolsFailed,
    OutputItemDone,
    ResponseDone,
)
from shared.sideband.events import Scalar, ServerEvent
from shared.transcripts.failures import (
    MCP_CALL_FAILED,
    TOOLS_NOT_LISTED,
    TRANSCRIPTION_FAILED,
    UNKNOWN_CODE,
    Failure,
    failure_of_response,
)

REMEMBERED = 20_000
CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}|[0-9]{1,6}")


def failure_code(*told: Scalar) -> str:
    """The first that is told of a code, a reason or a type. These are the endpoint's own words, not
    a page's; one that is no word is shown as its hash."""
    found = next((each for each in told if each not in (None, "")), None)
    text = UNKNOWN_CODE if found is None else str(found)
    return text if CODE.fullmatch(text) else hashed(text)


def mcp_code(item: Item) -> str:
    """The code of a failed MCP call. It may be the MCP server's: only numbers and the API's own
    names are shown."""
    kind, code = known_type(item.error_type), item.error_code
    parts = [kind or "", str(code) if isinstance(code, int) else known_code(code) or ""]
    return " ".join(part for part in parts if part) or UNKNOWN_CODE


class FailureFinder:
    """Finds the failures of one call, each once."""

    def __init__(self) -> None:
        self.found: BoundedSet[tuple[str, str]] = BoundedSet(REMEMBERED)
        self.failed_calls: BoundedSet[str] = BoundedSet(REMEMBERED)
        """MCP calls that have failed and whose item, which has the code, is yet to come."""

    def find(self, event: ServerEvent) -> list[Failure]:
        """What an event shows to have failed."""
        return [each for each in self.all_in(event) if self.is_new(each)]

    def is_new(self, failure: Failure) -> bool:
        """Takes note of a failure; False if it is known."""
        name = (failure.what, failure.key)
        if name in self.found:
            return False
        self.found.add(name)
        return True

    def all_in(self, event: ServerEvent) -> Iterable[Failure]:
        match event:
            case ResponseDone():
                for item in event.output:
                    yield from self.in_item(item)
                for item_id in list(self.failed_calls):
                    # A response's items are done before it is: no item will tell more.
                    self.failed_calls.discard(item_id)
                    yield Failure(MCP_CALL_FAILED, item_id)
                code = failure_code(event.reason, event.error_type)
                failed = failure_of_response(event.response_id, event.status, code)
                if failed:
                    yield failed
            case InputTranscriptionFailed():
                code = failure_code(event.code, event.error_type)
                yield Failure(TRANSCRIPTION_FAILED, event.item_id, code)
            case McpListToolsFailed():
                yield Failure(TOOLS_NOT_LISTED, event.item_id)
            case McpCallFailed():
                self.failed_calls.add(event.item_id)
            case OutputItemDone() | ItemDone():
                yield from self.in_item(event.item)

    def in_item(self, item: Item) -> Iterable[Failure]:
        """The failure that an MCP item tells of."""
        if item.type == "mcp_call" and (item.has_error or item.id in self.failed_calls):
            self.failed_calls.discard(item.id)
            yield Failure(MCP_CALL_FAILED, item.id, mcp_code(item))
        elif item.type == "mcp_list_tools" and item.has_error:
            yield Failure(TOOLS_NOT_LISTED, item.id, mcp_code(item))
