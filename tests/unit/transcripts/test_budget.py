"""Nobody uses up what the record has for the others."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.transcripts.budget import RESERVE, SHARES, RecordBudget
from shared.transcripts.record_lines import RecordLine, decode_lines, encode_line
from shared.transcripts.redaction import unchanged

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LINES = 100_000


@pytest.mark.parametrize("by", ["page", "unknown", "caller"])
@pytest.mark.parametrize("kind", ["words", "heard", "deleted", "placed"])
def test_what_a_page_can_make_leaves_room_for_the_models_words(by: str, kind: str) -> None:
    """A page commits audio of its own, over and over, which counts as the caller's."""
    budget = RecordBudget()
    for number in range(LINES):
        budget.admit(RecordLine(kind, f"item_{number}", NOW, {"text": None}, by=by))
    said = RecordLine("item", "answer", NOW, {"text": "We owe you nothing."}, by="model")
    assert budget.admit(said) == (said, "")
    assert sum(budget.spent.values()) < max(SHARES["page"], SHARES["caller"]) + RESERVE + 1000


def test_lines_of_responses_have_an_end() -> None:
    budget = RecordBudget()
    lines = [RecordLine("response", f"r{number}", NOW) for number in range(LINES)]
    assert sum(budget.admit(line)[0] is not None for line in lines) < 20_000


@pytest.mark.parametrize("kind", ["error", "failed"])
def test_what_a_page_gets_wrong_leaves_room_for_what_fails(kind: str) -> None:
    budget = RecordBudget()
    about = {"what": "endpoint_error", "type": "invalid_request_error", "code": "invalid_event"}
    kept = [
        budget.admit(RecordLine(kind, f"{number}", NOW, about))[0] is not None
        for number in range(LINES)
    ]
    assert 50 < sum(kept) < 1_000
    for real in ({"code": "server_error"}, {"what": "delegation_failed"}):
        line = RecordLine(kind, str(real), NOW, {**about, **real})
        assert budget.admit(line) == (line, "")
    many = [
        budget.admit(RecordLine(kind, f"c{number}", NOW, {**about, "code": f"c{number}"}))[0]
        for number in range(LINES)
    ]
    assert sum(each is not None for each in many) < 1_000


def test_what_is_on_record_counts_for_who_wrote_it() -> None:
    lines = [
        RecordLine("placed", "item_1", NOW, {"origin": "page"}),
        RecordLine("said", "item_1", NOW, {"text": "x" * 100}),
        RecordLine("placed", "item_2", NOW, {"origin": "model"}),
        RecordLine("words", "item_3", NOW, {"text": "whose?"}),
    ]
    budget = RecordBudget()
    for number, line in enumerate(lines):
        (stored,) = decode_lines(encode_line("c", number, line, unchanged))
        budget.count_stored(stored)
    assert budget.spent["page"] > 1000
    assert 300 < budget.spent["conversation"] < 400
