"""How long a booked call counts among those of all callers. Pure."""

from __future__ import annotations

from shared.limits.booked_call import SESSION_AT, BookedCall
from shared.limits.global_count import GlobalCount


def release_line(booked: BookedCall, total: GlobalCount) -> None:
    """Stops counting an ended call as live."""
    if booked.live and booked.counted_at:
        total.remove_call(booked.counted_at)
    if booked.live and SESSION_AT in booked.about:
        total.remove_session(booked.about[SESSION_AT])
    booked.about = {name: value for name, value in booked.about.items() if name != SESSION_AT}
    booked.live = False


def count_until(end: int, booked: BookedCall, total: GlobalCount, now: int) -> None:
    """Moves the end until which a call counts as live."""
    if booked.counted_at:
        total.remove_call(booked.counted_at)
        booked.counted_at = total.add_call(now, end)
    if SESSION_AT in booked.about:
        total.remove_session(booked.about[SESSION_AT])
        booked.about = {**booked.about, SESSION_AT: total.add_session(now, end)}
    booked.ends = end
