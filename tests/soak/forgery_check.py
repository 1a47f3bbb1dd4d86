"""What became of a hostile page's forgeries in its call's record. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from shared.transcripts.record_lines import StoredLine
from shared.transcripts.transcript import Transcript
from tests.soak.hostile_talkers import HostileConversation
from tests.soak.transcript_check import declares_missing

PAGE, UNKNOWN = "page", "unknown"
"""Whose an item of a page may be on record; unknown only where a gap says that things are
missing."""
RUN = frozenset({"calling", "tool"})
"""Lines about tools that the server ran."""
SEEN_AFTER = timedelta(seconds=3)
"""How long after an observer is attached it surely sees a response begin. Of one that had begun
before, nobody can know whether the caller's voice or the page has asked for it, nor of the first
that it sees. The hosts' clocks are corrected to two seconds."""
STEERING = {"overridden_session": "session", "own_response": "steered"}
"""Attacks that steer a call without an item, and the kind of line that says so."""


def forged_entries(talk: HostileConversation, transcript: Transcript) -> int:
    """How many items that the page made are on record."""
    return sum(entry.item_id in talk.items for entry in transcript.entries)


def came_before_observer(talk: HostileConversation, lines: Sequence[StoredLine]) -> bool:
    """Whether the page asked for a response of its own before an observer saw all that it did."""
    attached = [line.at for line in lines if line.kind == "attached"]
    asked = talk.own_response_at
    return asked is not None and bool(attached) and asked < min(attached) + SEEN_AFTER


def forgery_complaints(
    talk: HostileConversation, transcript: Transcript, lines: Sequence[StoredLine]
) -> list[str]:
    """A tool that ran for a call that no response made; what the page made and the record believes
    to be somebody else's; what is missing without a word."""
    run = {line.key for line in lines if line.kind in RUN} & talk.calls
    entries = {entry.item_id: entry for entry in transcript.entries}
    made = [entries[item] for item in talk.items | talk.typed.keys() if item in entries]
    declared = declares_missing(transcript)
    origins = {PAGE, UNKNOWN} if declared else {PAGE}
    believed = [entry for entry in made if entry.origin not in origins]
    missing = talk.items - entries.keys()
    kinds = {line.kind for line in lines}
    unstated = [
        name
        for name, kind in STEERING.items()
        if name in talk.attacks
        and talk.finished
        and kind not in kinds
        and not declared
        and not (name == "own_response" and came_before_observer(talk, lines))
    ]
    return [
        *(["a tool ran for a call that the page made"] if run else []),
        *(["an item is on record without the page as its origin"] if believed else []),
        *(
            ["items of the page are missing, and the transcript does not declare it"]
            if missing and not declared
            else []
        ),
        *(f"{name} is not on record" for name in unstated),
    ]
