"""What the life of a call asks of a voice API, whichever it is: start a call from an offer, end it.

`shared/realtime/voice_client.py` and `shared/live/client.py` are the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from shared.config.profiles import Profile
from shared.config.voice_api import VoiceApi
from shared.core.deadline import Deadline
from shared.transcripts.history import NO_HISTORY, History
from shared.upstream.answer import Answer
from shared.upstream.hang_up_reply import HangUpReply


class VoiceClient(Protocol):
    """Starts and ends the calls of one API."""

    def start_call(
        self,
        offer: str,
        profile: Profile,
        deadline: Deadline,
        safety_identifier: str | None = None,
        history: History = NO_HISTORY,
    ) -> Answer:
        """The answer to a page's offer. An offer is never sent again once it may have arrived. The
        call begins with `history` where that can be had; the answer says whether it does.

        Raises Problem; UnusableAnswer if a call may have begun that nobody can use and that the
        caller of this method has to end, or to tell of where its id is not known.
        """

    def hang_up(self, call_id: str, deadline: Deadline) -> HangUpReply:
        """Asks for the end of a call; the reply says whether it proves it. Raises Problem."""


VoiceClients = Mapping[VoiceApi, VoiceClient]
"""The client of each API that this broker's calls speak, at one endpoint."""
ClientsAt = Callable[[str], VoiceClients]
"""The clients of the endpoint with that name; "" is the default one."""
