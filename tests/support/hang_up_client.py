"""A client of the model's endpoint for tests in which calls only end."""

from __future__ import annotations

from shared.calls.voice_client import VoiceClients
from shared.config.profiles import Profile
from shared.config.voice_api import LIVE, REALTIME
from shared.core.deadline import Deadline
from shared.core.problems import Problem
from shared.realtime.client import RealtimeClient
from shared.sideband.sideband import NoSuchCall, Sideband
from shared.transcripts.history import NO_HISTORY, History
from shared.upstream.answer import Answer
from shared.upstream.hang_up_reply import HangUpReply


class HangUpClient(RealtimeClient):
    """Hangs up without an endpoint, and keeps the ids of the calls that it was asked to end.
    `replies` are its next answers; then every call was live."""

    def __init__(self, *replies: HangUpReply | Problem) -> None:
        self.hung_up: list[str] = []
        self.asked_for: list[str] = []
        self.replies = list(replies)

    def voices(self, endpoint: str) -> VoiceClients:
        """This client, for the calls of either API at any endpoint."""
        self.asked_for.append(endpoint)
        return {REALTIME: self, LIVE: self}

    def start_call(
        self,
        offer: str,
        profile: Profile,
        deadline: Deadline,
        safety_identifier: str | None = None,
        history: History = NO_HISTORY,
    ) -> Answer:
        raise AssertionError("no test with this client starts a call")

    def hang_up(self, call_id: str, deadline: Deadline) -> HangUpReply:
        self.hung_up.append(call_id)
        reply = self.replies.pop(0) if self.replies else HangUpReply(200)
        if isinstance(reply, Problem):
            raise reply
        return reply


async def no_such_call(call_id: str) -> Sideband:
    """A `Connect` to an endpoint that has no calls."""
    raise NoSuchCall(call_id)
