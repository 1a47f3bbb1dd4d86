from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import (
    RealtimeSessionCreateRequest,
    RealtimeTranscriptionSessionCreateRequest,
)
from pydantic import BaseModel, TypeAdapter

from shared.config import profiles
from shared.config.env import ConfigurationError
from shared.config.profiles import SCHEMA_FILE
from shared.config.settings_loader import load_settings
from shared.config.voice_api import LIVE
from shared.core.json_schema import validation_errors
from shared.core.problems import Problem
from shared.credentials.private_instructions import complete_profile
from tests.support.vaults import FixedVault

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads(SCHEMA_FILE.read_text())
Request = RealtimeSessionCreateRequest | RealtimeTranscriptionSessionCreateRequest
ENV = {"REALTIME_ENDPOINT": "https://demo.openai.azure.com", "REALTIME_MODEL": "gpt-realtime"}


def load(folder: Path, **env: str) -> profiles.Profiles:
    chosen = load_settings({**ENV, "REALTIME_PROFILES": str(folder), **env}, ROOT)
    return profiles.load_profiles(chosen)


def write(folder: Path, name: str, session: dict[str, Any], **more: Any) -> None:
    content = {"session": {"type": "realtime", **session}, **more}
    (folder / f"{name}.json").write_text(json.dumps(content))


def test_the_shipped_profiles_load_and_match_the_official_types() -> None:
    known = load(ROOT / "profiles")
    assert {"default", "agents-sdk", "dictation"} <= set(known.by_name)
    for profile in known.by_name.values():
        if profile.api == LIVE:
            continue
        TypeAdapter(Request).validate_python(dict(profile.session))
    assert known.named(None).filtered
    assert not known.named("agents-sdk").filtered


def test_quick_settings_fill_in_the_default_profile(tmp_path: Path) -> None:
    write(tmp_path, "default", {"instructions": "old"})
    write(tmp_path, "other", {"instructions": "own", "model": "own-model"})
    known = load(
        tmp_path,
        REALTIME_VOICE="cedar",
        REALTIME_INSTRUCTIONS="new",
        REALTIME_TRANSCRIPTION_MODEL="ears",
    )
    default, other = known.named(""), known.named("other")
    assert default.session["instructions"] == "new"
    assert default.session["audio"]["output"]["voice"] == "cedar"
    assert default.session["audio"]["input"]["transcription"] == {"model": "ears"}
    assert (default.model, other.model) == ("gpt-realtime", "own-model")
    assert other.session["instructions"] == "own"


def test_an_unknown_name_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, "default", {})
    with pytest.raises(Problem) as problem:
        load(tmp_path).named("../default")
    assert problem.value.code == "unknown_profile"


def test_all_errors_of_all_files_are_reported_together_with_the_nearest_name(
    tmp_path: Path,
) -> None:
    write(tmp_path, "default", {"voice": "marin", "audio": {"output": {"voyce": "marin"}}})
    write(tmp_path, "Loud", {"temperature": 0.7}, webrtc_filtre="on")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ConfigurationError) as wrong:
        load(tmp_path)
    told = "\n".join(wrong.value.mistakes)
    assert 'default.json: session.audio.output.voyce: unknown field, did you mean "voice"?' in told
    assert "default.json: session.voice: unknown field" in told
    assert "Loud.json: session.temperature: unknown field" in told
    assert 'Loud.json: webrtc_filtre: unknown field, did you mean "webrtc_filter"?' in told
    assert "Loud.json: the file's name" in told
    assert "broken.json: not JSON" in told


def test_a_folder_without_a_default_profile_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "defualt", {})
    with pytest.raises(ConfigurationError, match=r"REALTIME_PROFILES: .*default\.json"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("session", "told"),
    [
        ({"max_output_tokens": 5000}, "session.max_output_tokens: expected integer from 1 to 4096"),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vda"}}}},
            'session.audio.input.turn_detection: expected null or an object of type "server_vad"',
        ),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "treshold": 1}}}},
            'turn_detection.treshold: unknown field, did you mean "threshold"?',
        ),
        ({"tools": [{"type": "function"}]}, "session.tools[0].name: missing"),
        (
            {"output_modalities": ["speech"]},
            'output_modalities[0]: expected one of "audio", "text"',
        ),
        ({"audio": {"output": {"speed": 9}}}, "speed: expected number from 0.25 to 1.5"),
        (
            {"tools": [{"type": "mcp", "server_label": "docs"}]},
            "session.tools[0]: expected server_url or connector_id or tunnel_id",
        ),
        (
            {"tools": [{"type": "mcp", "server_label": "docs", "server_url": ""}]},
            "session.tools[0].server_url: expected",
        ),
        ({"tools": [{"type": "mcp", "tunnel_id": "t"}]}, "session.tools[0].server_label: missing"),
    ],
)
def test_an_error_says_where_and_what_was_expected(session: dict[str, Any], told: str) -> None:
    found = validation_errors({"session": {"type": "realtime", **session}}, SCHEMA)
    assert any(told in line for line in found), found


def test_every_ga_session_field_is_allowed_and_no_other() -> None:
    """Against the official types, level by level: a new field there fails here."""

    def models(annotation: Any) -> list[type[BaseModel]]:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return [annotation]
        return [model for part in get_args(annotation) for model in models(part)]

    def branches(schema: dict[str, Any]) -> list[dict[str, Any]]:
        if "$ref" in schema:
            return branches(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
        if "anyOf" in schema:
            return [found for branch in schema["anyOf"] for found in branches(branch)]
        return [schema] if "properties" in schema else []

    def compare(official: list[type[BaseModel]], ours: list[dict[str, Any]], path: str) -> None:
        fields: dict[str, list[Any]] = {}
        for model in official:
            for name, info in model.model_fields.items():
                fields.setdefault(info.alias or name, []).append(info.annotation)
        known = {name for branch in ours for name in branch["properties"]}
        assert known == set(fields), path
        for name, hints in fields.items():
            inner = [model for hint in hints for model in models(hint)]
            nested = [
                found for branch in ours for found in branches(branch["properties"].get(name, {}))
            ]
            if inner and nested:
                compare(inner, nested, f"{path}.{name}")

    for official, name in (
        (RealtimeSessionCreateRequest, "session"),
        (RealtimeTranscriptionSessionCreateRequest, "transcription_session"),
    ):
        compare([official], branches(SCHEMA["$defs"][name]), name)


WORDS = st.sampled_from(
    ["type", "realtime", "model", "audio", "input", "output", "voice", "server_vad", "auto", "inf"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5000) | st.floats(-2, 2) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(sorted(SCHEMA["$defs"]["session"]["properties"]))


@given(st.dictionaries(FIELDS, VALUES, max_size=4), VALUES)
def test_the_walker_agrees_with_a_full_json_schema_library(
    session: dict[str, Any], turn_detection: Any
) -> None:
    profile = {
        "session": {
            "type": "realtime",
            "audio": {"input": {"turn_detection": turn_detection}},
            **session,
        }
    }
    official = jsonschema.Draft202012Validator(SCHEMA).is_valid(profile)
    assert (validation_errors(profile, SCHEMA) == []) == official


def test_private_instructions_come_from_the_vault_and_from_nowhere_else(tmp_path: Path) -> None:
    write(tmp_path, "default", {}, instructions_secret="persona")
    env = {"KEY_VAULT_URI": "https://demo.vault.azure.net", "REALTIME_INSTRUCTIONS": "public"}
    profile = load(tmp_path, **env).named(None)
    assert "instructions" not in profile.session
    complete = complete_profile(profile, FixedVault({"persona": "private words"}))
    assert complete.session["instructions"] == "private words"
    assert complete.name == profile.name

    write(tmp_path, "default", {"instructions": "too"}, instructions_secret="persona")
    with pytest.raises(ConfigurationError) as wrong:
        load(tmp_path)
    assert "KEY_VAULT_URI" in str(wrong.value)
    assert "session.instructions" in str(wrong.value)


@pytest.mark.parametrize("session", [None, 5, "instructions", []])
def test_private_instructions_of_a_session_that_is_none(tmp_path: Path, session: Any) -> None:
    content = {"session": session, "instructions_secret": "persona"}
    (tmp_path / "default.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ConfigurationError) as wrong:
        load(tmp_path)
    (mistake,) = wrong.value.mistakes
    assert "default.json: session: expected an object" in mistake


PAGE_TOOLS = json.loads((ROOT / "tests/fixtures/cases/pagetools.json").read_text(encoding="utf-8"))
OPENAI = {"REALTIME_PROVIDER": "openai", "REALTIME_API_KEY": "k", "REALTIME_ENDPOINT": ""}
SERVER_TOOLS = frozenset({"order_status", "current_time"})


def load_with_tools(folder: Path, **env: str) -> profiles.Profiles:
    chosen = load_settings({**ENV, "REALTIME_PROFILES": str(folder), **env}, ROOT)
    return profiles.load_profiles(chosen, dict, SERVER_TOOLS)


def test_tools_that_the_page_runs_are_refused_where_the_filter_hides_their_calls(
    tmp_path: Path,
) -> None:
    write(tmp_path, "default", {})
    (tmp_path / "weather.json").write_text(json.dumps(PAGE_TOOLS))
    with pytest.raises(ConfigurationError) as wrong:
        load_with_tools(tmp_path)
    (mistake,) = wrong.value.mistakes
    assert mistake.startswith(f"{tmp_path.name}/weather.json: session.tools[0].name: ")
    assert '"webrtc_filter": "off"' in mistake
    (tmp_path / "weather.json").write_text(json.dumps({**PAGE_TOOLS, "webrtc_filter": "off"}))
    assert not load_with_tools(tmp_path).named("weather").filtered


def test_the_other_provider_has_no_filter(tmp_path: Path) -> None:
    (tmp_path / "default.json").write_text(json.dumps(PAGE_TOOLS))
    assert load_with_tools(tmp_path, **OPENAI).named(None).session["tools"]


@pytest.mark.parametrize(
    ("tools", "told"),
    [
        ([{"type": "function", "name": "order_status"}], None),
        ([{"type": "function", "name": "order_statsu"}], 'did you mean "order_status"?'),
        (
            [{"type": "function", "name": "order_status"}, {"type": "function", "name": "weather"}],
            "session.tools[1].name",
        ),
        ([{"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example"}], None),
    ],
)
def test_which_tools_somebody_runs(
    tmp_path: Path, tools: list[dict[str, Any]], told: str | None
) -> None:
    write(tmp_path, "default", {"tools": tools})
    if told is None:
        load_with_tools(tmp_path)
        return
    with pytest.raises(ConfigurationError) as wrong:
        load_with_tools(tmp_path)
    (mistake,) = wrong.value.mistakes
    assert told in mistake


DICTATION = json.loads((ROOT / "tests" / "fixtures" / "cases" / "dictation.json").read_text())


def test_a_profile_may_only_transcribe(tmp_path: Path) -> None:
    (tmp_path / "default.json").write_text(json.dumps(DICTATION))
    spoken = {"input": {"transcription": {"language": "de"}}}
    write(tmp_path, "german", {"type": "transcription", "audio": spoken})
    write(tmp_path, "bare", {"type": "transcription"})
    known = load(
        tmp_path,
        REALTIME_VOICE="cedar",
        REALTIME_INSTRUCTIONS="Answer.",
        REALTIME_TRANSCRIPTION_MODEL="ears",
    )
    assert known.named(None).session == DICTATION["session"], "nothing is filled in"
    assert known.named(None).model == "gpt-live-transcribe"
    german, bare = known.named("german"), known.named("bare")
    assert german.session["audio"]["input"]["transcription"] == {"model": "ears", "language": "de"}
    assert (german.model, bare.model) == ("ears", "ears")
    for profile in (known.named(None), german, bare):
        TypeAdapter(RealtimeTranscriptionSessionCreateRequest).validate_python(
            dict(profile.session)
        )


@pytest.mark.parametrize(
    ("session", "more", "told"),
    [
        ({}, {}, "session.audio.input.transcription.model: missing"),
        ({"audio": {"input": {"transcription": None}}}, {}, "transcription.model: missing"),
        ({"instructions": "x"}, {}, "session.instructions: unknown field"),
        ({"audio": {"output": {}}}, {}, "session.audio.output: unknown field"),
        (DICTATION["session"], {"goodbye": "Bye."}, "goodbye: expected nothing"),
        (DICTATION["session"], {"session_from_page": True}, "session_from_page: expected nothing"),
    ],
)
def test_what_cannot_be_said_of_a_transcription_session(
    tmp_path: Path, session: dict[str, Any], more: dict[str, Any], told: str
) -> None:
    write(tmp_path, "default", {**session, "type": "transcription"}, **more)
    with pytest.raises(ConfigurationError) as wrong:
        load(tmp_path)
    assert any(told in each for each in wrong.value.mistakes), wrong.value.mistakes


@pytest.mark.parametrize(
    ("policies", "more", "told"),
    [
        ({"docs": "approve"}, {}, None),
        ({"docs": {"search": "approve", "buy": "function:within_limits", "*": "admin"}}, {}, None),
        ({"dosc": "approve"}, {}, "mcp_approvals.dosc: expected the server_label of an MCP tool, "),
        ({"docs": "never"}, {}, "mcp_approvals.docs: expected"),
        ({"docs": {"buy": "function:limits"}}, {}, "expected a function of the server"),
        ({"docs": "approve"}, {"session_from_page": True}, "session_from_page"),
    ],
)
def test_who_approves_the_calls_of_mcp_tools(
    tmp_path: Path, policies: Any, more: dict[str, Any], told: str | None
) -> None:
    server = {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example"}
    write(tmp_path, "default", {"tools": [server]}, mcp_approvals=policies, **more)
    chosen = load_settings({**ENV, "REALTIME_PROFILES": str(tmp_path)}, ROOT)
    approvers = frozenset({"within_limits"})
    if told is None:
        known = profiles.load_profiles(chosen, approvers=approvers)
        assert known.named(None).mcp_approvals == policies
        return
    with pytest.raises(ConfigurationError) as wrong:
        profiles.load_profiles(chosen, approvers=approvers)
    (mistake,) = wrong.value.mistakes
    assert told in mistake


def test_a_function_that_must_be_called_is_there(tmp_path: Path) -> None:
    choice = {"type": "function", "name": "order_status"}
    write(tmp_path, "default", {"tools": [choice], "tool_choice": choice})
    load_with_tools(tmp_path)
    write(
        tmp_path,
        "default",
        {"tools": [{"type": "function", "name": "current_time"}], "tool_choice": choice},
    )
    with pytest.raises(ConfigurationError, match=r"session\.tool_choice\.name: "):
        load_with_tools(tmp_path)


def test_the_log_warns_of_server_tools_that_nobody_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "default", {"tools": [{"type": "function", "name": "order_status"}]})
    load_with_tools(tmp_path)
    assert "tools without an observer" not in caplog.text
    load_with_tools(tmp_path, OBSERVER="off")
    assert 'tools without an observer {"profile": "default"}' in caplog.text


def test_the_log_warns_of_realtime_calls_where_recording_is_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "default", {})
    load_with_tools(tmp_path)
    assert "calls not recorded" not in caplog.text
    load_with_tools(tmp_path, RECORDINGS="on")
    assert 'calls not recorded {"profile": "default"}' in caplog.text


def test_a_realtime_profile_has_nothing_to_record(tmp_path: Path) -> None:
    (tmp_path / "default.json").write_text('{"recording": "on", "session": {"type": "realtime"}}')
    with pytest.raises(
        ConfigurationError, match="recording: expected nothing: Realtime's sideband"
    ):
        load_with_tools(tmp_path)
