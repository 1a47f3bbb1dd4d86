"""One call that is counted for a caller, as an element of the caller's row has it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared.limits.row_values import LARGEST_NUMBER, whole_number
from shared.limits.times import MINUTE

KNOWN_FOR = 10 * MINUTE
"""How long a booking is known past its end: tokens are counted so late, and a call that is settled
is not held again by somebody who had not heard of it."""
HANDOVER = MINUTE // 2
"""How long a call goes on that another one continues: its page has moved by then."""
NO_KEY, UNUSED_KEY, USED_KEY = 0, 1, 2
FAILED = "failed"
STORED_MEMBERS = 6
"""How many members of a booking's element follow its name."""
OWN_END = "own_end"
"""Of a key whose call is held: until when it counted before that."""
CALL_SETTLED = "call_settled"
"""Of a key that counts to its own end: that the call registered with it is over."""
ENDPOINT = "endpoint"
"""Of a key: the endpoint that it is for, where that is not the default one."""
SESSION_AT = "session_at"
"""Of a Live call: the end under which the global row counts its session."""
TAKES_OVER = "takes_over"
"""Of a call that continues others: the names of the bookings whose line it has."""


@dataclass(slots=True)
class BookedCall:
    """One call that is counted for a caller."""

    started: int
    ends: int
    live: bool = True
    counted_at: int = 0
    """The end under which the global row counts this call; 0 if it does not."""
    tokens: int = 0
    key: int = NO_KEY
    """For an ephemeral key that a page holds: UNUSED_KEY until a call is registered, then
    USED_KEY."""
    about: dict[str, Any] = field(default_factory=dict)
    """Of a key: the `profile` and the `endpoint` that it was minted for, a mark of the `call` that
    used it, and its `own_end` while that call is held, `call_settled` once it is over. Of a Live
    call: `session_at`. Of a call that continues others: `takes_over`. Of a start that came to
    nothing: that it `failed`. Empty where an earlier release, which does not know this, has written
    the row."""
    unknown: list[Any] = field(default_factory=list)
    """What a later release has added to the element; it is written back."""

    @property
    def failed(self) -> bool:
        """Whether it came to nothing, by no fault of the caller's."""
        return bool(self.about.get(FAILED))

    def is_known(self, now: int, *, counts_use: bool) -> bool:
        """Whether it may still be asked for; `counts_use` if what it has used is limited."""
        is_over = not self.live or bool(self.about.get(CALL_SETTLED))
        known_for = KNOWN_FOR if counts_use or is_over else 0
        return not self.failed and self.ends > now - known_for


def read_about(about: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a key. Raises what reading anything else raises."""
    for end in (OWN_END, SESSION_AT):
        if end in about:
            whole_number(about[end])
    if not all(isinstance(name, str) for name in list(about.get(TAKES_OVER, ()))):
        raise ValueError("not the names of bookings")
    return {**about}


def read_booking(members: list[Any]) -> BookedCall:
    """The booking in an element of a row, without its name. Raises ValueError or TypeError."""
    stored = members[:STORED_MEMBERS]
    for member in stored:
        # As `whole_number`, without a call for each of hundreds.
        if not isinstance(member, int) or not 0 <= member <= LARGEST_NUMBER:
            raise ValueError("not a number that is counted with")
    booked = BookedCall(*stored)
    booked.unknown = members[STORED_MEMBERS:]
    return booked
