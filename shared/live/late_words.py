"""Words that come after later ones, or long after they were said. Pure; times are milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.live.server_events import ASSISTANT, USER, TranscriptFragment
from shared.live.turn import ClosedTurn, Turn

if TYPE_CHECKING:
    from shared.live.turn_policy import TurnPolicy


def take_late(policy: TurnPolicy, fragments: list[TranscriptFragment]) -> None:
    """Puts words that come after later ones into the turn in which they were said: nobody takes the
    word by them."""
    for fragment in fragments:
        is_of = (turn for turn in policy.open_turns() if turn.speaker == fragment.speaker)
        turn = next(is_of, None)
        if turn and not turn.is_full:
            turn.append(fragment)
        elif turn and turn is policy.current:
            policy.end_turn(turn, "too_long")
            policy.current = Turn.of(fragment)
        else:
            take_later_still(policy, fragment)


def take_later_still(policy: TurnPolicy, fragment: TranscriptFragment) -> None:
    """Puts words into their speaker's last turn, which is over, or into one of their own."""
    ended = policy.ended.get(fragment.speaker)
    if ended and not ended.is_full and fragment.start_ms - ended.end_ms < policy.rules.silence:
        ended.append(fragment)
    else:
        ended = Turn.of(fragment)
    policy.end_turn(ended, "late")


def mark_interrupted(policy: TurnPolicy, fragment: TranscriptFragment) -> None:
    """The caller's words may be recognised so late that the answer which they broke into has been
    over for a while, by its silence."""
    answer = policy.ended.get(ASSISTANT)
    if answer is None or fragment.speaker != USER or answer.interrupted:
        return
    if policy.interruptions.may_interrupt(answer, fragment.start_ms):
        answer.interrupted = True
        policy.closed_turn(ClosedTurn(answer, "late"))
