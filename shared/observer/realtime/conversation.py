"""A Realtime call as a run sees it: items, responses, and what the server does about them."""

from __future__ import annotations

from functools import partial

from shared.observer.context import Tally
from shared.observer.conversation import RunParts
from shared.observer.realtime.controller import CallController
from shared.observer.realtime.event_dispatch import EventDispatch
from shared.observer.realtime.goodbye import LastAnswer
from shared.observer.realtime.item_gaps import ItemGaps
from shared.observer.realtime.recorder import ItemRecorder
from shared.observer.realtime.response_tracker import ResponseTracker
from shared.observer.realtime.run_context import RealtimeContext
from shared.observer.run_context import new_event_id
from shared.observer.session_expiry import SessionExpiry
from shared.realtime.server_events import ItemAdded, SessionEvent
from shared.sideband.events import ErrorEvent, ServerEvent
from shared.transcripts import transcript
from shared.transcripts.record_lines import StoredLine

MAX_REPAIRED_ITEMS = 20
EXPIRED = "session_expired"


class RealtimeConversation:
    """`Conversation` of the Realtime API."""

    def __init__(self, parts: RunParts) -> None:
        call, dependencies = parts.call, parts.dependencies
        self.keep_words = call.keep_words
        self.timing = parts.timing
        self.recorder = ItemRecorder(parts.writer, dependencies.clock, parts.lease.lease.holder)
        self.context = RealtimeContext(
            parts.connection, self.recorder, parts.lease, parts.background
        )
        tracker = ResponseTracker()
        self.goodbye = LastAnswer(self.context, tracker, call.farewell, parts.hang_up)
        self.controller = CallController(self.context, call, dependencies, self.goodbye, tracker)
        # Missed items matter for their words, or for tool calls that nobody has run.
        fetches = call.keep_words or bool(dependencies.registry.tools)
        self.gaps = ItemGaps(
            self.recorder, call.started_at, parts.timing.unnoticed, fetches=fetches
        )
        self.gaps.backfill.known.update(call.past_items)
        self.dispatch = EventDispatch(self.context, self.gaps, self.controller)
        self.expiry = SessionExpiry(call, dependencies, parts.background)
        self.over = ""
        self.proof_of_end = ""

    def resume(self, lines: list[StoredLine]) -> None:
        self.controller.resume(lines)

    def connected(self) -> None:
        self.context.background.call_later(self.timing.probe_after, self.probe_tail)

    @property
    def is_busy(self) -> bool:
        return bool(self.controller.tool_calls.running or self.controller.approvals.deciding)

    async def request_state(self, lines: list[StoredLine]) -> None:
        """Requests the session by an update that changes nothing, and once more the items that the
        record has without their words."""
        send_event = self.context.connection.send_event
        session = {"type": "realtime"}
        await send_event({"type": "session.update", "event_id": new_event_id(), "session": session})
        if self.keep_words and lines:
            # Off the event loop: a record may be long.
            find = partial(items_without_words, lines)
            item_ids = await self.recorder.writer.run_blocking(find)
            for event in self.gaps.backfill.requests_to_repair(item_ids):
                await send_event(event)
        await self.controller.answer_abandoned()

    async def reconnected(self) -> None:
        await self.controller.reconnected()

    def handle_event(self, event: ServerEvent) -> None:
        if self.recorder.is_catching_up and self.is_known_item(event):
            return
        self.dispatch.handle_event(event)
        if isinstance(event, SessionEvent):
            self.expiry.note_session(event.session)
        if isinstance(event, ErrorEvent) and event.code == EXPIRED:
            self.over = "expired"

    def is_known_item(self, event: ServerEvent) -> bool:
        """Whether an item is added that is on record: not another one of the same id."""
        return isinstance(event, ItemAdded) and event.item.id in self.gaps.backfill.known

    def probe_tail(self) -> None:
        if self.context.lease.is_good:
            for event in self.gaps.probe_tail():
                self.context.send_in_background(event)

    def call_ended(self, reason: str) -> None:
        self.recorder.add_line("ended", "", {"reason": reason})

    def never_seen(self) -> None:
        """What its responses used was told to nobody."""

    def tally(self) -> Tally:
        return self.controller.meter.tally()

    async def leave(self) -> None:
        self.dispatch.record_words()
        self.recorder.record_unfinished()


def items_without_words(lines: list[StoredLine]) -> list[str]:
    """The ids of the latest messages that a record has without their words."""
    entries = transcript.build_transcript(lines).entries
    names = [each.item_id for each in entries if each.kind == "message" and each.text is None]
    return names[-MAX_REPAIRED_ITEMS:]
