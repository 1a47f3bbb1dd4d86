"""A message of an admin's reaches the model in both APIs, and is on record as the server's."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.admin.refusal_counts import RefusalCounts
from shared.admin.service import AdminService
from shared.calls.records import Records
from shared.config.settings import ObserverSettings
from shared.config.voice_api import LIVE, VoiceApi
from shared.storage.memory import MemoryLog, MemoryTable
from shared.transcripts.record_lines import RecordLine, encode_line
from shared.transcripts.redaction import unchanged
from shared.transcripts.transcript import Entry, read_transcript
from shared.transcripts.writer import log_name
from tests.support.call_records import call_record
from tests.unit.live.sidebands import FixedSideband, dialled

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ID = call_record(NOW).id


@dataclass
class Desk:
    """An admin's side of the broker, with one call that goes on, and is on record."""

    api: VoiceApi
    answers: tuple[str, ...]
    keeps_words: bool = True
    log: MemoryLog = field(default_factory=MemoryLog)

    def __post_init__(self) -> None:
        records = Records(MemoryTable())
        self.call = call_record(NOW, call_id="call_1", api=self.api)
        records.insert(self.call)
        self.sideband = FixedSideband(*self.answers)
        connect, _ = dialled(self.sideband)
        nobody: Any = None
        self.service = AdminService(
            records,
            nobody,
            self.log,
            lambda _: {self.api: connect},
            lambda: NOW,
            RefusalCounts(MemoryTable()),
            ObserverSettings("eager", transcripts=self.keeps_words, redaction=True),
        )
        attached = encode_line("call_1", 0, RecordLine("attached", "run", NOW), unchanged)
        self.log.append(log_name("call_1"), attached, at=0)

    def entries(self) -> tuple[Entry, ...]:
        return read_transcript(self.log.read(log_name("call_1"))).entries


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("thinking", ("message", "system", "server")),
        ("instructions", ("message", "system", "server")),
        ("commentary", ("commentary", "", "server")),
    ],
)
def test_what_the_model_of_a_live_call_was_told_is_on_record(
    kind: str, entry: tuple[str, str, str]
) -> None:
    desk = Desk(LIVE, ("session.started", f"session.{kind}.appended"))
    event = {"type": f"session.{kind}.append", "content": "Her mail is ada@example.org."}
    assert desk.service.send_event(ID, event) == {"answered_by": f"session.{kind}.appended"}
    [sent] = desk.sideband.sent
    assert sent["content"] == event["content"]
    [shown] = desk.entries()
    assert (shown.kind, shown.role, shown.origin) == entry
    assert shown.text is not None
    assert "ada@example.org" not in shown.text


def test_without_transcripts_no_words_are_kept() -> None:
    desk = Desk(LIVE, ("session.thinking.appended",), keeps_words=False)
    desk.service.send_event(ID, {"type": "session.thinking.append", "content": "Be brief."})
    assert desk.entries() == ()
    assert b"brief" not in desk.log.read(log_name("call_1"))


def test_what_is_no_message_is_not_on_record() -> None:
    desk = Desk(LIVE, ("session.input_audio.muted",))
    desk.service.send_event(ID, {"type": "session.input_audio.mute"})
    assert desk.entries() == ()
