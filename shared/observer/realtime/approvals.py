"""Answers MCP servers' requests for approval, each once, as the profile says.

A request is answered only if the model has made it (`approval_proofs`): anybody may add an item
that looks like one. Whoever else answers (an admin, or the page, whose events look the same), the
first answer counts. What nobody answers is refused after a while, so that the caller is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from shared.core import logs
from shared.core.bounded import BoundedDict, BoundedSet
from shared.observer.realtime.approval_proofs import CallProofs
from shared.observer.realtime.run_context import RealtimeContext
from shared.observer.realtime.tool_outputs import ToolOutputs
from shared.realtime.item_origins import MODEL
from shared.realtime.server_events import (
    Item,
    ItemAdded,
    ItemDone,
    ItemRetrieved,
    OutputItemDone,
    ResponseDone,
)
from shared.sideband.events import ServerEvent
from shared.tools.approvals import (
    ADMIN,
    APPROVE,
    FUNCTION,
    ApprovalRequest,
    parsed_arguments,
    policy_for,
)
from shared.tools.granted import granted_names
from shared.tools.registry import Registry
from shared.transcripts.record_lines import RecordLine, StoredLine

ANSWERED_WITHIN = timedelta(minutes=1)
"""How long an admin has."""
REQUESTS_AT_MOST = 1_000
"""Of one conversation. Each is remembered, so that none is answered twice."""
UNPROVEN_AT_MOST = 100
"""Each with its arguments: a proof comes within moments, if it does."""
FUNCTIONS_AT_ONCE = 16
REQUEST, RESPONSE = "mcp_approval_request", "mcp_approval_response"
PROFILE, CLIENT, NOBODY, MISSED = "profile", "client", "nobody", "missed"
"""Who has answered. Nothing tells an admin from the page. Of a request from before this run nothing
proves that the model made it, unless the record says so."""


class Approvals:
    """The approvals of one call. `session` is the profile's; None: the page decides and answers."""

    def __init__(
        self,
        context: RealtimeContext,
        outputs: ToolOutputs,
        registry: Registry,
        session: Mapping[str, Any] | None,
        policies: Mapping[str, Any],
    ) -> None:
        self.context = context
        self.outputs = outputs
        self.registry = registry
        self.policies = policies
        self.is_ours = session is not None
        self.servers = {*granted_names(session, "mcp"), *policies}
        self.proofs = CallProofs()
        self.unproven: BoundedDict[str, Item] = BoundedDict(UNPROVEN_AT_MOST)
        self.asked: BoundedDict[str, tuple[str, str]] = BoundedDict(REQUESTS_AT_MOST)
        """By the id of a request of the model's, the server and the tool."""
        self.answered: BoundedSet[str] = BoundedSet(10 * REQUESTS_AT_MOST)
        self.deciding = 0

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over from the record what was asked and what was answered."""
        for line in lines:
            if line.kind == "approval asked":
                told = line.fields.get("server_label"), line.fields.get("tool")
                self.asked[line.key] = (str(told[0]), str(told[1]))
            elif line.kind == "approval":
                self.answered.add(line.key)

    def lines_to_carry_over(self) -> list[RecordLine]:
        """What was asked and answered, for a record that begins again."""
        now = self.context.recorder.clock()
        asked = [
            RecordLine("approval asked", each, now, {"server_label": server, "tool": tool})
            for each, (server, tool) in self.asked.items()
        ]
        return [*asked, *(RecordLine("approval", each, now) for each in self.answered)]

    def answer_abandoned_requests(self) -> None:
        """Answers what an earlier run was asked and has not answered. The arguments are not known
        any more, so that no function is asked."""
        for request_id, (server, tool) in list(self.asked.items()):
            if request_id not in self.answered:
                self.decide(request_id, ApprovalRequest(server, tool, {}), has_arguments=False)

    def handle_event(self, event: ServerEvent, *, was_missed: bool) -> None:
        """Takes note of any event of the call. Comes after the tracker, and after the event has
        been recorded. `was_missed`: its item is one that we have requested."""
        outside = self.outputs.tracker.outside
        # A page may have added many: they are looked at only when there is something new.
        if self.proofs.note_event(event, outside):
            for item in list(self.unproven.values()):
                if self.proofs.use(item):
                    self.handle_request(item)
        match event:
            case OutputItemDone(item=item) if event.response_id not in outside:
                self.handle_output(item)
            case ResponseDone() if event.response_id not in outside:
                for item in event.output:
                    self.handle_output(item)
            case ItemAdded(item=item) | ItemDone(item=item):
                self.handle_item(item)
            case ItemRetrieved(item=item) if was_missed:
                self.handle_missed_item(item)

    def is_for_us(self, request: Item) -> bool:
        """Whether the profile says who answers a request. A response that uses another server than
        the profile's is cancelled."""
        return self.is_ours and request.server_label in self.servers

    def handle_output(self, item: Item) -> None:
        """An item that a response contains: the model's."""
        if item.type == REQUEST and item.id not in self.asked:
            self.proofs.use(item)
            self.handle_request(item)

    def handle_item(self, item: Item) -> None:
        """An item of the conversation, whoever added it."""
        if item.type == RESPONSE:
            self.note_answer(item)
        elif item.type == REQUEST and item.id not in self.asked:
            mapper = self.context.recorder.mapper
            if mapper.origins.proven.get(mapper.keys.key_of(item.id), "") == MODEL:
                self.handle_output(item)
            elif self.proofs.use(item):
                self.handle_request(item)
            elif self.is_for_us(item):
                self.unproven[item.id] = item

    def handle_request(self, item: Item) -> None:
        """Has a request of the model's answered, if that is for us to do."""
        self.unproven.pop(item.id, None)
        if item.id in self.asked or not self.is_for_us(item):
            return
        if len(self.asked) >= REQUESTS_AT_MOST:
            logs.event("approval not given", reason="too many requests")
            return
        request = ApprovalRequest(
            str(item.server_label), str(item.name), parsed_arguments(item.arguments or "") or {}
        )
        self.asked[item.id] = (request.server_label, request.tool)
        about = {"server_label": request.server_label, "tool": request.tool}
        self.context.recorder.add_made_item(item.id)
        self.context.recorder.add_line("approval asked", item.id, about)
        for call in self.proofs.calls_of(*self.asked[item.id]):
            # It is made once it has been approved; nothing else waits for that.
            self.outputs.tracker.awaited.discard(call)
        whole = "arguments" not in item.cut and parsed_arguments(item.arguments or "") is not None
        self.decide(item.id, request, has_arguments=whole)

    def decide(self, request_id: str, request: ApprovalRequest, *, has_arguments: bool) -> None:
        policy = policy_for(self.policies, request.server_label, request.tool)
        if policy == ADMIN:
            logs.event("approval awaited", request=request_id, **self.about(request))
            give_up = partial(self.answer, request_id, request, approve=False, by=NOBODY)
            self.context.background.call_later(ANSWERED_WITHIN, give_up)
        elif not policy.startswith(FUNCTION):
            self.answer(request_id, request, approve=policy == APPROVE, by=PROFILE)
        elif not has_arguments or self.deciding >= FUNCTIONS_AT_ONCE:
            self.answer(request_id, request, approve=False, by=MISSED)
        else:
            name = policy.removeprefix(FUNCTION)
            self.context.background.start_task(self.ask_function(request_id, request, name))

    async def ask_function(self, request_id: str, request: ApprovalRequest, name: str) -> None:
        key = self.context.recorder.mapper.keys.key_of(request_id)
        self.deciding += 1
        try:
            approve = await self.registry.approves(name, request)
        finally:
            self.deciding -= 1
        # A page may have put another item in its place meanwhile.
        same = self.context.recorder.mapper.keys.key_of(request_id) == key
        self.answer(request_id, request, approve=approve and same, by=f"{FUNCTION}{name}")

    def answer(self, request_id: str, request: ApprovalRequest, *, approve: bool, by: str) -> None:
        """Sends an answer, unless there is one."""
        if request_id in self.answered or not self.context.lease.is_good:
            return
        self.answered.add(request_id)
        told = {"approved": approve, "by": by}
        about = {"server_label": request.server_label, "tool": request.tool, **told}
        self.context.recorder.add_line("approval", request_id, about)
        logs.event("approval given", **self.about(request), **told)
        sending = self.outputs.send_approval(request_id, approve=approve)
        self.context.background.start_task(sending)

    def about(self, request: ApprovalRequest) -> dict[str, str]:
        call = self.context.recorder.writer.record_id
        return {"call": call, "server": request.server_label, "tool": request.tool}

    def note_answer(self, item: Item) -> None:
        """Takes note of an answer, whoever gave it. A refusal is answered like an output: the
        service does not go on by itself."""
        request_id = str(item.approval_request_id)
        if request_id in self.answered:
            return
        self.answered.add(request_id)
        if request_id in self.asked:
            server, tool = self.asked[request_id]
            about = {"server_label": server, "tool": tool, "approved": item.approve, "by": CLIENT}
            self.context.recorder.add_line("approval", request_id, about)
        if item.approve is False and self.is_ours:
            self.outputs.tracker.call_ended(item.id)

    def handle_missed_item(self, item: Item) -> None:
        """Refuses a request from before this run, if nobody has answered it."""
        if item.type == RESPONSE:
            self.answered.add(str(item.approval_request_id))
        elif item.type == REQUEST and self.is_ours and item.id not in self.asked:
            self.asked[item.id] = (str(item.server_label), str(item.name))
            request = ApprovalRequest(*self.asked[item.id], {})
            self.answer(item.id, request, approve=False, by=MISSED)
