"""Fragments -> turns: as the official grouper has them, but for backchannels and interruptions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from openai.lib.live import TranscriptGrouper
from openai.types.live import InputTranscriptDeltaEvent, OutputTranscriptDeltaEvent

from shared.live.server_event_parser import parse_server_event
from shared.live.server_events import ASSISTANT, USER, Speaker, TranscriptFragment
from shared.live.turn import LONGEST_TURN, ClosedTurn
from shared.live.turns import TurnGrouper
from tests.support.live_recordings import NAMES, server_events

Spoken = tuple[str, str, int, int]
"""Who, what, from when to when."""


def fragment(speaker: Speaker, text: str, start: int, end: int | None = None) -> TranscriptFragment:
    kind = "input" if speaker == USER else "output"
    end = start + 200 if end is None else end
    return TranscriptFragment(f"session.{kind}_transcript.delta", None, speaker, text, start, end)


def shown(closed: Iterable[ClosedTurn]) -> list[Spoken]:
    """Turns, without backchannels, and without what was known later of one."""
    return [
        (turn.speaker, turn.text, turn.start_ms, turn.end_ms)
        for turn in (each.turn for each in closed if each.reason != "late")
        if not turn.is_backchannel
    ]


def group(timed: Iterable[tuple[float, TranscriptFragment]], end: float) -> list[ClosedTurn]:
    """The turns of fragments that came at these times, with silence noticed as it falls due."""
    grouper, closed = TurnGrouper(), []
    now = 0.0

    def pass_until(later: float) -> None:
        nonlocal now
        while (due := grouper.due_in(now)) is not None and now + due <= later:
            now += due
            closed.extend(grouper.advance(now))
            if not due:
                break
        now = later

    for at, each in timed:
        pass_until(at)
        closed += grouper.add(each, at)
    pass_until(end)
    return closed + grouper.close(end)


class OfficialGrouper(TranscriptGrouper):
    """The official one, with a clock of the test's."""

    def __init__(self) -> None:
        self.at = 0.0
        self.spoken: list[Spoken] = []
        super().__init__()
        self.on("segment.closed", self.keep)

    def keep(self, event: Any) -> None:
        segment = event.segment
        self.spoken.append((segment.speaker, segment.text, segment.start_ms, segment.end_ms))

    def _now(self) -> float:
        return self.at

    def _call_later(self, delay_ms: int, callback: Any) -> Any:
        class Timer:
            def cancel(self) -> None:
                """There is none: the test asks when it is due."""

        return Timer()

    def pass_until(self, later: float) -> None:
        while (delay := self._state.delay()) is not None and self.at + delay <= later:
            self.at += delay
            self._timer_fired(self._timer_generation)
            if not delay:
                break
        self.at = later


def officially(timed: Iterable[tuple[float, TranscriptFragment]], end: float) -> list[Spoken]:
    grouper, numbers = OfficialGrouper(), itertools.count()
    for at, each in timed:
        grouper.pass_until(at)
        event_class = (
            InputTranscriptDeltaEvent if each.speaker == USER else OutputTranscriptDeltaEvent
        )
        grouper.push(
            event_class(
                type=each.type,  # type: ignore[arg-type]
                event_id=f"event_{next(numbers)}",
                delta=each.text,
                start_ms=each.start_ms,
                end_ms=each.end_ms,
            )
        )
    grouper.pass_until(end)
    grouper.close()
    return grouper.spoken


def recorded(name: str) -> list[tuple[float, TranscriptFragment]]:
    found = []
    for frame in server_events(name):
        event = parse_server_event(frame.data)
        if isinstance(event, TranscriptFragment):
            # Where no times were recorded, words are told 600 ms after they were said.
            found.append((frame.at * 1000 or event.end_ms + 600.0, event))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_recordings_are_grouped_as_the_official_grouper_does(name: str) -> None:
    timed = recorded(name)
    end = max((at for at, _ in timed), default=0) + 10_000
    assert shown(group(timed, end)) == officially(timed, end)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_was_said_is_left_out(name: str) -> None:
    timed = recorded(name)
    turns = [each.turn for each in group(timed, 1e6)]
    for speaker in (USER, ASSISTANT):
        said = "".join(each.text for _, each in timed if each.speaker == speaker)
        kept = "".join(turn.text for turn in turns if turn.speaker == speaker)
        assert sorted(kept.replace(" ", "")) == sorted(said.replace(" ", ""))


@pytest.mark.parametrize("seed", range(200))
def test_talk_of_any_kind_is_grouped_as_the_official_grouper_does(seed: int) -> None:
    rng, timed, now = Random(seed), [], 0.0
    places, latest = {USER: 0, ASSISTANT: 0}, 0
    words = (
        " mhm",
        "mm",
        " yeah",
        "Right.",
        " the",
        " order",
        " is",
        ".",
        "okay",
        " 1002",
        "uh huh",
    )
    for _ in range(60):
        speaker = rng.choice((USER, USER, ASSISTANT))
        now += rng.choice((0, 0, 20, 200, 200, 400, 700, 2500))
        latest = max(latest, places[speaker]) + rng.choice((0, 0, 0, 200, 400, 600, 2200))
        places[speaker] = latest + rng.choice((0, 200))
        start = latest
        timed.append((now, fragment(speaker, rng.choice(words), start)))
    end = now + rng.choice((0, 60, 3000, 30_000))
    assert shown(group(timed, end)) == officially(timed, end)


def test_a_spoken_turn_and_its_answer() -> None:
    """The recorded one: the answer begins before the question's text has ended."""
    turns = shown(group(recorded("oai-sideband-spoken-turn.jsonl"), 20_000))
    assert turns == [
        (USER, "Can you remind me what my name is?", 600, 3000),
        (ASSISTANT, "You mentioned your name is Ada.", 2400, 3400),
    ]


def test_a_backchannel_is_given_but_splits_nothing() -> None:
    timed = [
        (600.0, fragment(USER, "I have an", 0)),
        (800.0, fragment(ASSISTANT, " mhm", 200)),
        (1000.0, fragment(USER, " order", 400)),
        (1200.0, fragment(USER, " with you", 600)),
        (2400.0, fragment(ASSISTANT, "Which one?", 1800)),
    ]
    closed = group(timed, 20_000)
    assert shown(closed) == [
        (USER, "I have an order with you", 0, 800),
        (ASSISTANT, "Which one?", 1800, 2000),
    ]
    backchannels = [each.turn for each in closed if each.turn.is_backchannel]
    assert [(turn.text, turn.start_ms) for turn in backchannels] == [(" mhm", 200)]


def interrupted(*parts: tuple[Speaker, str, int]) -> list[tuple[str, bool]]:
    timed = [(start + 600.0, fragment(speaker, text, start)) for speaker, text, start in parts]
    closed = group(sorted(timed, key=lambda each: each[0]), 60_000)
    return [(each.turn.text, each.turn.interrupted) for each in closed]


def test_an_answer_that_stops_while_the_caller_speaks_is_interrupted() -> None:
    assert interrupted(
        (ASSISTANT, "Your order", 0),
        (ASSISTANT, " was sent on", 200),
        (USER, "Stop.", 200),
        (USER, " Please.", 400),
        (ASSISTANT, "Okay.", 2000),
    ) == [("Your order was sent on", True), ("Stop. Please.", False), ("Okay.", False)]


def test_an_answer_that_stops_at_a_full_stop_while_the_caller_speaks_is_interrupted() -> None:
    assert interrupted(
        (ASSISTANT, "It was sent.", 0), (ASSISTANT, " On Monday.", 200), (USER, "Stop", 200)
    ) == [("It was sent. On Monday.", True), ("Stop", False)]


def test_a_caller_who_only_says_yes_to_a_whole_answer_has_not_interrupted_it() -> None:
    assert interrupted(
        (ASSISTANT, "It was sent.", 0), (ASSISTANT, " On Monday.", 200), (USER, "Yeah.", 200)
    ) == [("It was sent. On Monday.", False), ("Yeah.", False)]


def test_a_caller_who_is_recognised_late_has_interrupted_all_the_same() -> None:
    grouper = TurnGrouper()
    grouper.add(fragment(ASSISTANT, "Your order", 0), 0)
    grouper.add(fragment(ASSISTANT, " was", 200), 200)
    (silent,) = grouper.advance(2500)
    assert (silent.reason, silent.turn.interrupted) == ("inactivity", False)
    grouper.add(fragment(USER, "Stop", 400), 3000)
    closed = grouper.advance(3100) + grouper.close(9000)
    assert [(each.turn.text, each.turn.interrupted) for each in closed] == [
        ("Your order was", True),
        ("Stop", False),
    ]


def test_an_answer_that_was_complete_is_not_interrupted() -> None:
    assert interrupted((ASSISTANT, "It was sent.", 0), (USER, "Thanks", 600)) == [
        ("It was sent.", False),
        ("Thanks", False),
    ]


def test_an_answer_that_goes_on_over_the_callers_word_is_not_interrupted() -> None:
    found = interrupted(
        (ASSISTANT, "It was sent", 0),
        (USER, "yes", 200),
        (ASSISTANT, " on Monday", 400),
        (ASSISTANT, " by courier.", 600),
    )
    assert not any(was for _, was in found)


def test_an_answer_after_which_the_caller_waits_is_not_interrupted() -> None:
    """It ends without a full stop, but long before the caller speaks."""
    assert interrupted((ASSISTANT, "Hello", 0), (USER, "Hi", 1600)) == [
        ("Hello", False),
        ("Hi", False),
    ]


def test_an_answer_that_the_end_of_the_call_cuts_short_while_the_caller_speaks() -> None:
    grouper = TurnGrouper()
    grouper.add(fragment(ASSISTANT, "It was", 0), 100)
    grouper.add(fragment(USER, "Bye", 200), 200)
    grouper.add(fragment(USER, ".", 400), 250)
    closed = grouper.close(300)
    assert [(each.turn.speaker, each.turn.interrupted) for each in closed] == [
        (ASSISTANT, True),
        (USER, False),
    ]


def test_a_timeline_that_begins_again_ends_what_was_open() -> None:
    grouper = TurnGrouper()
    grouper.add(fragment(USER, "Hello", 50_000), 0)
    grouper.add(fragment(USER, " there", 50_200), 100)
    closed = grouper.add(fragment(USER, "Again", 0), 200)
    closed += grouper.close(300)
    assert [(each.turn.text, each.reason) for each in closed] == [
        ("Hello there", "timestamp_reset"),
        ("Again", "closed"),
    ]


def test_words_that_come_late_belong_where_they_were_said() -> None:
    grouper, closed = TurnGrouper(), []
    parts: list[tuple[Speaker, str, int]] = [
        (USER, "Where is", 0), (ASSISTANT, "Let me", 1600), (ASSISTANT, " look", 1800),
        (USER, " my order", 200), (ASSISTANT, " it up.", 2000), (USER, "?", 400),
    ]  # fmt: skip
    for number, part in enumerate(parts):
        closed += grouper.add(fragment(*part), 1000 + 100 * number)
    closed += grouper.close(60_000)
    last = {each.turn.start_ms: (each.turn.text, each.turn.interrupted) for each in closed}
    assert last == {0: ("Where is my order?", False), 1600: ("Let me look it up.", False)}


def test_late_words_of_nobodys_turn_are_one_of_their_own() -> None:
    grouper = TurnGrouper()
    grouper.add(fragment(ASSISTANT, "Once upon", 8000), 0)
    grouper.add(fragment(ASSISTANT, " a time", 8200), 100)
    closed = grouper.add(fragment(USER, "Stop", 3000), 200) + grouper.add(
        fragment(USER, " it", 3200), 300
    )
    closed += grouper.advance(300)
    assert {id(each.turn): each.turn.text for each in closed}.popitem()[1] in ("Stop", "Stop it")
    rest = grouper.close(60_000)
    assert [each.turn.text for each in rest][-1] == "Once upon a time"


def test_silence_ends_an_answer_and_nothing_is_due_then() -> None:
    grouper = TurnGrouper()
    grouper.add(fragment(ASSISTANT, "Hello.", 0), 1000)
    assert grouper.due_in(1000) == 50
    assert grouper.advance(1050) == []
    assert grouper.due_in(1050) == 1950
    closed = grouper.advance(3000)
    assert [each.reason for each in closed] == ["inactivity"]
    assert grouper.due_in(3000) is None


def test_a_clock_that_is_set_back_ends_nothing() -> None:
    grouper = TurnGrouper()
    grouper.add(fragment(ASSISTANT, "Hello.", 0), 10_000)
    assert grouper.advance(0) == []
    assert [each.turn.text for each in grouper.close(0)] == ["Hello."]


def test_a_turn_without_end_is_ended() -> None:
    grouper, closed = TurnGrouper(), []
    for number in range(100):
        closed += grouper.add(fragment(USER, "x" * 1000, 200 * number), number)
    assert [each.reason for each in closed] == ["too_long"] * 4
    assert sum(len(each.turn.text) for each in closed + grouper.close(1000)) == 100_000


@pytest.mark.parametrize("speaker", [USER, ASSISTANT])
@pytest.mark.parametrize("size", [2, 1000, 30_000])
def test_words_that_come_late_without_end_make_no_turn_without_end(
    speaker: Speaker, size: int
) -> None:
    """A flood of words from before the latest ones, of whoever has the word and of whoever not."""
    grouper, closed, text = TurnGrouper(), [], "x" * size
    for number in range(2):
        closed += grouper.add(fragment(USER, "w", 15_000 + 200 * number), number)
    for number in range(200_000 // size):
        closed += grouper.add(fragment(speaker, text, 1000), number)
    closed += grouper.close(300_000)
    turns = {id(each.turn): each.turn.text for each in closed}
    assert max(map(len, turns.values())) < LONGEST_TURN + size
    assert sum(map(len, turns.values())) == 200_000 // size * size + 2


def test_an_answer_that_waits_without_end_is_ended() -> None:
    """Both talk all the time."""
    grouper, closed = TurnGrouper(), []
    for number in range(300):
        closed += grouper.add(fragment(USER, "x", 200 * number), 200 * number)
        closed += grouper.add(fragment(ASSISTANT, "y" * 1000, 200 * number + 1), 200 * number + 1)
    closed += grouper.close(300_000)
    turns = {id(each.turn): each.turn.text for each in closed}
    assert max(map(len, turns.values())) < LONGEST_TURN + 1000
    assert sum(text.count("y") for text in turns.values()) == 300_000


def test_an_empty_fragment_is_none() -> None:
    grouper = TurnGrouper()
    assert grouper.add(replace(fragment(USER, "x", 0), text=""), 0) == []
    assert grouper.close(10) == []
