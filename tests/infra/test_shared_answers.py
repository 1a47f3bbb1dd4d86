"""A question that several processes of a run have is put to the compiler once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.infra.shared_answers import SharedAnswers, content
from tests.support.at_once import at_once


def test_of_those_who_ask_at_once_one_asks_the_compiler(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask() -> str:
        asked.append("question")
        return "answer"

    answers = [SharedAnswers(tmp_path / "answers") for _ in range(4)]
    assert at_once(4, lambda n: answers[n].answer("question", ask)) == ["answer"] * 4
    assert asked == ["question"]
    assert answers[0].answer("another question", lambda: "another answer") == "another answer"


def test_a_question_that_failed_is_asked_again(tmp_path: Path) -> None:
    shared = SharedAnswers(tmp_path)

    def fail() -> str:
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        shared.answer("question", fail)
    assert shared.answer("question", lambda: "answer") == "answer"


def test_any_change_in_a_folder_is_another_content(tmp_path: Path) -> None:
    (tmp_path / "modules").mkdir()
    file = tmp_path / "modules" / "main.bicep"
    file.write_text("param one string\n", encoding="utf-8")
    first = content(tmp_path)
    assert content(tmp_path) == first
    file.write_text("param two string\n", encoding="utf-8")
    second = content(tmp_path)
    file.rename(tmp_path / "main.bicep")
    assert len({first, second, content(tmp_path)}) == 3
