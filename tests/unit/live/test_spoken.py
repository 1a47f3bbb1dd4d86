"""What a function is given of a call: the turns, and the caller's words by their place."""

from __future__ import annotations

from shared.live.server_events import ASSISTANT, USER, Speaker, TranscriptFragment
from shared.live.spoken import FRAGMENTS, TURNS, WORD_CHARACTERS, Spoken
from shared.live.turn import Turn
from shared.tools.delegation import Said


def fragment(text: str, start_ms: int = 0, speaker: Speaker = USER) -> TranscriptFragment:
    kind = "session.input_transcript.delta"
    return TranscriptFragment(kind, None, speaker, text, start_ms, start_ms + 200)


def turn(speaker: Speaker, text: str) -> Turn:
    return Turn.of(fragment(text, speaker=speaker))


def test_late_words_are_put_into_their_turn_and_no_other_that_reads_alike() -> None:
    spoken = Spoken(list)
    yes = turn(USER, "Yes")
    for each in (turn(USER, "Yes"), turn(ASSISTANT, "Sure?"), yes, turn(ASSISTANT, "Fine.")):
        spoken.note_closed(each)
    yes.append(fragment(", I am."))
    spoken.note_closed(yes, again=True)
    assert spoken.said() == (
        Said(USER, "Yes"),
        Said(ASSISTANT, "Sure?"),
        Said(USER, "Yes, I am."),
        Said(ASSISTANT, "Fine."),
    )


def test_what_is_being_said_is_the_last_turn_and_a_backchannel_is_none() -> None:
    spoken = Spoken(lambda: [turn(USER, " Where is ")])
    aside = turn(ASSISTANT, "Mhm.")
    aside.is_backchannel = True
    spoken.note_closed(turn(ASSISTANT, "Hello."))
    spoken.note_closed(aside)
    assert spoken.said() == (Said(ASSISTANT, "Hello."), Said(USER, "Where is"))


def test_the_callers_words_are_given_once_up_to_a_place() -> None:
    spoken = Spoken(list)
    for number, text in enumerate(("One", " two", " three")):
        spoken.add(fragment(text, 1000 * number))
    spoken.add(fragment(" not the caller", 1500, ASSISTANT))
    assert spoken.take_words(1000) == "One two"
    assert spoken.take_words(5000) == "three"
    assert spoken.take_words(5000) == ""
    spoken.add(fragment(" four", 3000))
    assert spoken.take_words(7_000_000) == "four"
    spoken.add(fragment(" five", 4000), may_repeat=True)
    assert spoken.take_words(5000) == "five"


def test_words_that_an_earlier_run_has_given_are_not_given_again() -> None:
    spoken = Spoken(list)
    spoken.note_given(3000)
    spoken.add(fragment("One", 2800), may_repeat=True)
    spoken.add(fragment("two", 3200), may_repeat=True)
    spoken.add(fragment(" three", 1000))
    assert spoken.take_words(5000) == "two three"


def test_a_long_call_takes_no_more_room() -> None:
    spoken = Spoken(list)
    for number in range(FRAGMENTS + 100):
        spoken.add(fragment("x", number))
        spoken.note_closed(turn(USER, str(number)))
    assert len(spoken.said()) == TURNS
    assert len(spoken.take_words(FRAGMENTS + 100)) == FRAGMENTS
    for number in range(100):
        spoken.add(fragment("x" * 30_000, number))
    assert len(spoken.take_words(FRAGMENTS)) <= WORD_CHARACTERS
