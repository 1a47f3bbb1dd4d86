"""What became of a hostile page's forgeries in its call's record. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from shared.transcripts.record_lines import StoredLine
from shared.transcripts.transcript import Transcript
from tests.soak.hostile_talkers import HostileConversation

PAGE = "page"
RUN = frozenset({"calling", "tool"})
"""Lines about tools that the server ran."""


def forged_entries(talk: HostileConversation, transcript: Transcript) -> int:
    """How many items that the page made are on record."""
    return sum(entry.item_id in talk.items for entry in transcript.entries)


def forgery_complaints(
    talk: HostileConversation, transcript: Transcript, lines: Sequence[StoredLine]
) -> list[str]:
    """A tool that ran for a call that no response made; what the page made and the record believes
    to be somebody else's; what is missing without a word."""
    run = {line.key for line in lines if line.kind in RUN} & talk.calls
    entries = {entry.item_id: entry for entry in transcript.entries}
    made = [entries[item] for item in talk.items if item in entries]
    believed = [entry for entry in made if getattr(entry, "origin", "") != PAGE]
    missing = talk.items - entries.keys()
    declared = bool(transcript.gaps) or transcript.ended is None
    return [
        *(["a tool ran for a call that the page made"] if run else []),
        *(["an item is on record without the page as its origin"] if believed else []),
        *(
            ["items of the page are missing, and the transcript does not declare it"]
            if missing and not declared
            else []
        ),
    ]
