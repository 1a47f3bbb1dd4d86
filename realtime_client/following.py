"""Calls that are followed: their status as it changes, and a transcript put together from what is
new in each reply. No input or output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

from realtime_client import operations
from realtime_client.models import CallStatus, Entry, Transcript, TranscriptChange
from realtime_client.problems import text
from realtime_client.readers import call_record, counts, entry_of, optional_text, read_status
from realtime_client.wire import Operation, Reply

T = TypeVar("T")
QUIET_REPLIES = 2
"""Replies without news after the call's end, before nothing more is expected: what was said last is
written a second or so after it."""
LONGEST_CURSOR = 500


class Followed(Protocol[T]):
    """What is asked again and again, for what is new."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is expected."""

    def operation(self) -> Operation[T | None]:
        """Asks for what is new; gives it, or None if nothing is."""


class CallEvents:
    """The status of a caller's own call, each time that it is another."""

    def __init__(self, handle: str) -> None:
        self.asked = operations.status(handle)
        self.status: CallStatus | None = None
        self.quiet = 0

    @property
    def is_over(self) -> bool:
        return self.quiet >= QUIET_REPLIES

    def operation(self) -> Operation[CallStatus | None]:
        return Operation(self.asked.request, self.asked.status, self.take_reply, is_repeatable=True)

    def take_reply(self, reply: Reply) -> CallStatus | None:
        """The status, if it is another than before. Raises one of UNREADABLE."""
        now, before = read_status(reply), self.status
        self.status = now
        is_news = now != before
        self.quiet = 0 if is_news or now.is_live else self.quiet + 1
        return now if is_news else None


class Following:
    """One call that is followed."""

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self.next = ""
        self.transcript: Transcript | None = None
        self.quiet = 0

    @property
    def is_over(self) -> bool:
        """Whether the call has ended and nothing more is expected of it."""
        return self.quiet >= QUIET_REPLIES

    def operation(self) -> Operation[TranscriptChange | None]:
        """Asks for what is new; gives it, or None if nothing is."""
        asked = operations.transcript(self.call_id, self.next)
        return Operation(asked.request, asked.status, self.take_reply, is_repeatable=True)

    def take_reply(self, reply: Reply) -> TranscriptChange | None:
        """What is new in the reply. Raises one of UNREADABLE, and has taken nothing of it then."""
        body = reply.json()
        before = self.transcript
        entries = before.entries if before else ()
        changed: tuple[int, ...] = ()
        shown = body.get("transcript")
        if shown is not None:
            entries, changed = merged(entries, shown["entries"], shown["total"])
        now = transcript_of(body, shown, entries, before)
        self.next, self.transcript = cursor(body["next"]), now
        is_news = now != before
        self.quiet = 0 if is_news or now.call.is_live else self.quiet + 1
        return TranscriptChange(now, changed) if is_news else None


def transcript_of(
    body: Mapping[str, Any],
    shown: Mapping[str, Any] | None,
    entries: tuple[Entry, ...],
    before: Transcript | None,
) -> Transcript:
    call = call_record(body["call"])
    if shown is not None:
        ended, gaps = optional_text(shown.get("ended")), int(shown.get("gaps", 0))
        return Transcript(call, entries, ended, gaps, counts(shown.get("usage")))
    if before is None:
        return Transcript(call, entries, None, 0, {})
    return Transcript(call, entries, before.ended, before.gaps, before.usage)


def merged(
    before: tuple[Entry, ...], found: Iterable[Mapping[str, Any]], total: int
) -> tuple[tuple[Entry, ...], tuple[int, ...]]:
    """The entries with those that were found in their places, and these places. An entry without an
    `index` is in the order of the whole. Raises ValueError if one is missing or has no place."""
    places: dict[int, Entry] = dict(enumerate(before))
    changed = set()
    for number, each in enumerate(found):
        place = each.get("index", number)
        if type(place) is not int or not 0 <= place < total:
            raise ValueError("an entry without a place")
        places[place] = entry_of(each)
        changed.add(place)
    if any(place not in places for place in range(total)):
        raise ValueError("an entry is missing")
    return tuple(places[place] for place in range(total)), tuple(sorted(changed))


def cursor(value: Any) -> str:
    """What is sent back as `after`: whatever a broker makes of it, within a URL. Raises one of
    UNREADABLE."""
    found = text(value)
    if not found.isascii() or len(found) > LONGEST_CURSOR:
        raise ValueError("not a cursor")
    return found


def transcript_so_far(call_id: str) -> Operation[Transcript]:
    """Asks for all of a call's transcript."""
    asked = operations.transcript(call_id, "")
    return Operation(asked.request, asked.status, whole_transcript, is_repeatable=True)


def whole_transcript(reply: Reply) -> Transcript:
    """The transcript in a reply to a request without `after`. Raises one of UNREADABLE."""
    following = Following("")
    following.take_reply(reply)
    assert following.transcript is not None
    return following.transcript
