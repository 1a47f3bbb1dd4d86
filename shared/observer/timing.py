"""How long a run waits, how often it acts, and how far ahead of the limit it says goodbye."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a run waits for things, and how often it does them."""

    segment: timedelta = timedelta(minutes=50)
    """The longest run: the next one follows the call from there."""
    pauses_after_404: tuple[timedelta, ...] = tuple(
        timedelta(milliseconds=pause) for pause in (200, 400, 800, 1600, 3200)
    )
    """Between the first dials, because a new call may answer 404 for a moment."""
    redial_for: timedelta = timedelta(seconds=30)
    """How long dials may fail before the run gives up."""
    first_pause: timedelta = timedelta(milliseconds=250)
    longest_pause: timedelta = timedelta(minutes=1)
    """Between dials. The pause doubles until a connection holds."""
    holds_after: timedelta = timedelta(seconds=30)
    """A connection that lasts this long holds: the outage before it is over."""
    write_every: timedelta = timedelta(milliseconds=500)
    write_audio_every: timedelta = timedelta(seconds=3)
    storage_retry: timedelta = timedelta(seconds=2)
    probe_after: timedelta = timedelta(seconds=2)
    """How long an item may fail to appear before the tail is probed for."""
    lost_after: timedelta = timedelta(seconds=1)
    """How long a connection may be gone before the record says so: a call that has ended is known
    to be over by then."""
    unnoticed: timedelta = timedelta(seconds=40)
    """How long a dead connection may go unnoticed: two pings (`Timeouts`)."""
    turn: timedelta = timedelta(milliseconds=10)
    """How long events are handled before everything else in the process has a turn."""
    heir_polled: timedelta = timedelta(milliseconds=400)
    """How often a run that hands its call over looks for another one that asks for it, and how
    often that one looks whether it may begin."""
    offered_every: timedelta = timedelta(seconds=4)
    """How often a call is offered anew: whoever took the message may have come to nothing."""
    overlap: timedelta = timedelta(milliseconds=300)
    """How long a run goes on after another one is connected: what was under way then reaches it."""
    finishes_within: timedelta = timedelta(seconds=4)
    """How long the server's own work, such as a tool, may keep a call from being handed over."""
    handed_over_within: timedelta = timedelta(seconds=12)
    """How long a run waits for a lease that is offered: hosts give theirs ten seconds."""
    goodbye_ahead: timedelta = timedelta(seconds=10)
    shutdown: timedelta = timedelta(seconds=5)


USUAL_TIMING = Timing()
