"""What a session profile is at one endpoint."""

from __future__ import annotations

import pytest

from shared.config.deployments import deployed_profile
from shared.config.profiles import Profile

MODELS = {"gpt-realtime": "voice", "gpt-4o-transcribe": "words", "gpt-5.6-sol": "work"}
PROFILE = Profile(
    "default",
    {
        "type": "realtime",
        "model": "gpt-realtime",
        "audio": {
            "input": {"transcription": {"model": "gpt-4o-transcribe", "language": "en"}},
            "output": {"voice": "marin"},
        },
        "delegation": {"type": "responses", "responses": {"model": "gpt-5.6-sol", "tools": []}},
    },
)


def test_every_model_of_a_session_is_called_what_it_is_called_there() -> None:
    there = deployed_profile(PROFILE, MODELS)
    assert there.model == "voice"
    assert there.session == {
        "type": "realtime",
        "model": "voice",
        "audio": {
            "input": {"transcription": {"model": "words", "language": "en"}},
            "output": {"voice": "marin"},
        },
        "delegation": {"type": "responses", "responses": {"model": "work", "tools": []}},
    }
    assert PROFILE.model == "gpt-realtime", "another endpoint has other names"


def test_what_transcribes_alone_has_its_model_there() -> None:
    session = {
        "type": "transcription",
        "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}},
    }
    assert deployed_profile(Profile("dictation", session), MODELS).model == "words"


def test_what_makes_a_sessions_decisions_has_its_model_there() -> None:
    session = {
        "model": "gpt-live-1",
        "delegation": {"type": "decisions", "decisions": {"model": "gpt-5.6-sol"}},
    }
    there = deployed_profile(Profile("live", session), MODELS).session
    assert there["delegation"]["decisions"]["model"] == "work"


@pytest.mark.parametrize("models", [None, {}, {"gpt-realtime": "gpt-realtime"}, {"other": "x"}])
def test_the_same_names_change_nothing(models: dict[str, str] | None) -> None:
    assert deployed_profile(PROFILE, models) == PROFILE


@pytest.mark.parametrize("audio", [{}, {"input": None}, {"input": {"transcription": None}}])
def test_a_session_that_transcribes_nothing_stays_as_it_is(audio: dict[str, object]) -> None:
    profile = Profile("default", {"model": "gpt-realtime", "audio": audio})
    assert deployed_profile(profile, MODELS).session["audio"] == audio
