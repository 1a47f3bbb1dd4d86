"""Profiles of GPT-Live: what is sent of them, and what is warned of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openai.types.live.media_session_config_param import MediaSessionConfigParam
from openai.types.live.responses_delegation_config_param import ResponsesDelegationConfigParam

from shared.config.profiles import LIVE_SCHEMA_FILE
from shared.config.voice_api import LIVE, REALTIME
from tests.unit.config.live_profiles import OFFICIAL, ROOT, load, mistakes, talk

SCHEMA = json.loads(LIVE_SCHEMA_FILE.read_text())


def test_the_shipped_live_profile_is_of_the_official_type() -> None:
    profile = load(ROOT / "profiles").named("live")
    assert profile.api == LIVE
    OFFICIAL.validate_python(dict(profile.session))
    assert profile.model == "gpt-live-1"
    backend = profile.session["delegation"]["responses"]
    assert backend["model"] == "gpt-5.6-sol"
    [order_status, *_] = backend["tools"]
    assert order_status["description"]
    assert order_status["strict"] is False


def test_other_profiles_stay_realtime() -> None:
    known = load(ROOT / "profiles")
    assert {profile.api for name, profile in known.by_name.items() if name != "live"} == {REALTIME}


def test_the_settings_name_the_models(tmp_path: Path) -> None:
    env = {"LIVE_MODEL": "my-live", "LIVE_DELEGATION_MODEL": "my-backend"}
    session: Any = {"delegation": {"type": "responses", "responses": {}}}
    profile = talk(tmp_path, session, env)
    assert profile.model == "my-live"
    assert profile.session["delegation"]["responses"]["model"] == "my-backend"
    session = {"model": "own", "delegation": {"type": "responses", "responses": {"model": "its"}}}
    profile = talk(tmp_path, session, env)
    assert (profile.model, profile.session["delegation"]["responses"]["model"]) == ("own", "its")


def test_a_default_profile_of_gpt_live_takes_the_quick_settings(tmp_path: Path) -> None:
    (tmp_path / "default.json").write_text(json.dumps({"api": "live", "session": {}}))
    profile = load(tmp_path, REALTIME_VOICE="willow", REALTIME_INSTRUCTIONS="new").named(None)
    assert profile.session["audio"]["output"]["voice"] == "willow"
    assert profile.session["instructions"] == "new"


def test_a_wake_policy_that_never_pauses_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wake = {"wake_policy": {"type": "speech"}}
    talk(tmp_path, {**wake, "idle_timeout_s": 60})
    assert not any("without an idle timeout" in each for each in caplog.messages)
    talk(tmp_path, wake)
    [line] = [each for each in caplog.messages if "without an idle timeout" in each]
    assert "idle_timeout_s" in line


def test_a_day_that_is_too_short_for_a_live_call_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for allowed, warnings in (("14", 1), ("15", 0), ("0", 0)):
        caplog.clear()
        talk(tmp_path, {}, {"LIMIT_SECONDS_PER_DAY": allowed})
        told = [each for each in caplog.messages if "day too short" in each]
        assert len(told) == warnings
        assert all("LIMIT_SECONDS_PER_DAY" in each and '"least": 15' in each for each in told)


def test_fields_that_are_not_sent_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = {"idle_timeout_s": 60, "wake_policy": {"type": "speech"}}
    talk(tmp_path, session)
    assert any("idle_timeout_s, wake_policy" in line for line in caplog.messages)
    caplog.clear()
    talk(tmp_path, session, {"LIVE_SESSION_FIELDS": "all"})
    assert not any("not sent" in line for line in caplog.messages)


@pytest.mark.parametrize("voice", ["marin", "a voice of tomorrow", {"id": "voice_1"}])
def test_any_voice_is_taken(tmp_path: Path, voice: Any) -> None:
    session = {"audio": {"output": {"voice": voice}}}
    assert talk(tmp_path, session).session["audio"] == session["audio"]


def test_a_profile_may_be_left_out_of_recording(tmp_path: Path) -> None:
    assert talk(tmp_path, {}).recorded
    assert talk(tmp_path, {}, recording="on").recorded
    assert not talk(tmp_path, {}, recording="off").recorded
    (mistake,) = mistakes(tmp_path, {}, recording="yes")
    assert mistake.startswith("recording: ")


def test_private_instructions_goodbye_and_roles_are_as_for_realtime(tmp_path: Path) -> None:
    env = {"KEY_VAULT_URI": "https://demo.vault.azure.net"}
    profile = talk(tmp_path, {}, env, instructions_secret="words", goodbye="Bye.", roles=["staff"])
    assert (profile.instructions_secret, profile.goodbye) == ("words", "Bye.")
    assert profile.roles == {"staff"}
    lines = mistakes(tmp_path, {"instructions": "x"}, instructions_secret="words")
    assert any("KEY_VAULT_URI" in line for line in lines)
    assert any("nothing beside instructions_secret" in line for line in lines)


def test_the_schema_has_the_fields_of_the_official_types() -> None:
    ours = set(SCHEMA["$defs"]["session"]["properties"])
    # The broker says itself which caller a call is for.
    assert ours == set(MediaSessionConfigParam.__annotations__) - {"safety_identifier"}
    backend = set(SCHEMA["$defs"]["responses"]["properties"])
    assert backend == set(ResponsesDelegationConfigParam.__annotations__)
