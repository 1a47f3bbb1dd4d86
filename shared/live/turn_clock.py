"""Times the turns of a Live call: from the end of the caller's words to the beginning of the
answer's, on the session's timeline. Pure.

No event tells of a turn's end or of sound. The words' places are multiples of 200 ms, and an
answer's are on the timeline before it is heard (`TurnRules`): it is an estimate.
"""

from __future__ import annotations

from shared.live.server_events import USER
from shared.live.turn import ClosedTurn, Turn


class TurnClock:
    """Times the turns of one session, from those that are over, in their order."""

    def __init__(self) -> None:
        self.callers: Turn | None = None
        """The caller's turn, while nothing has answered it. Late words may still make it longer."""

    def latency_of(self, closed: ClosedTurn) -> int | None:
        """How long the caller had waited for a turn that is over, in milliseconds; None of one that
        answers nothing, or that began while the caller was speaking."""
        turn = closed.turn
        if closed.reason == "late" or turn.is_backchannel:
            return None
        if turn.speaker == USER:
            self.callers = turn
            return None
        callers, self.callers = self.callers, None
        if callers is None or turn.start_ms < callers.end_ms:
            return None
        return turn.start_ms - callers.end_ms
