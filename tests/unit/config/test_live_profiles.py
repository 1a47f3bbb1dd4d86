"""Profiles of GPT-Live: what is refused and in which words, and what is sent of what is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from openai.types.live import ClientEvent, ServerEvent
from openai.types.live.media_session_config_param import MediaSessionConfigParam
from openai.types.live.responses_delegation_config_param import ResponsesDelegationConfigParam
from pydantic import TypeAdapter

from shared.config.data_channel import CLIENT_EVENTS, SERVER_EVENTS, TELL_THE_SESSION
from shared.config.env import ConfigurationError
from shared.config.profiles import LIVE_SCHEMA_FILE, Profile, Profiles, load_profiles
from shared.config.settings_loader import load_settings
from shared.config.voice_api import LIVE, REALTIME
from shared.core.token_estimate import estimated_tokens
from shared.live.session_fields import session_to_send
from shared.tools.samples import sample_tools

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads(LIVE_SCHEMA_FILE.read_text())
ENV = {"REALTIME_ENDPOINT": "https://demo.openai.azure.com", "REALTIME_MODEL": "gpt-realtime"}
OFFICIAL: TypeAdapter[Any] = TypeAdapter(MediaSessionConfigParam)
SHORT_SERVER_LIST = [{"type": name} for name in SERVER_EVENTS]


def load(folder: Path, **env: str) -> Profiles:
    registry = sample_tools()
    return load_with(frozenset(registry.delegations), folder, **env)


def load_with(delegations: frozenset[str] | None, folder: Path, **env: str) -> Profiles:
    """The profiles, with other functions that do what is delegated to the server."""
    registry = sample_tools()
    chosen = load_settings({**ENV, "REALTIME_PROFILES": str(folder), **env}, ROOT)
    tools = frozenset(registry.tools)
    return load_profiles(chosen, registry.complete_session, tools, delegations=delegations)


def talk(folder: Path, session: Any, env: dict[str, str] | None = None, **more: Any) -> Profile:
    """The profile `talk` with that session, beside a default one."""
    (folder / "default.json").write_text(json.dumps({"session": {"type": "realtime"}}))
    content = {"api": "live", "session": session, **more}
    (folder / "talk.json").write_text(json.dumps(content))
    return load(folder, **(env or {})).named("talk")


def mistakes(folder: Path, session: Any, **more: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as wrong:
        talk(folder, session, **more)
    return tuple(line.partition("talk.json: ")[2] for line in wrong.value.mistakes)


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


def test_the_smallest_profile_gets_a_model_and_a_closed_channel(tmp_path: Path) -> None:
    assert talk(tmp_path, {}).session == {
        "model": "gpt-live-1",
        "client": {
            "data_channel": {
                "allowed_client_events": list(CLIENT_EVENTS),
                "allowed_server_events": SHORT_SERVER_LIST,
            }
        },
    }


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


def test_no_event_that_carries_the_session_is_allowed_by_default() -> None:
    assert not {*SERVER_EVENTS} & {*TELL_THE_SESSION}


def test_a_profile_widens_the_lists(tmp_path: Path) -> None:
    channel = {
        "allowed_client_events": ["session.thinking.append", "session.close"],
        "allowed_server_events": [
            {"type": "session.thinking.appended"},
            {"type": "response.event", "response_event": "response.completed"},
            "error",
        ],
    }
    sent = talk(tmp_path, {"client": {"data_channel": channel}}).session["client"]["data_channel"]
    assert sent["allowed_client_events"] == [*CLIENT_EVENTS, "session.thinking.append"]
    assert sent["allowed_server_events"] == [
        *SHORT_SERVER_LIST,
        {"type": "session.thinking.appended"},
        {"type": "response.event", "response_event": "response.completed"},
    ]


@pytest.mark.parametrize(
    ("channel", "told"),
    [
        ({"allowed_server_events": "all"}, "session.started, session.updated, session.closed"),
        ({"allowed_server_events": [{"type": "session.started"}]}, "session.started"),
        ({"allowed_client_events": "all"}, "every client event"),
        ({"allowed_client_events": ["session.update"]}, "session.update"),
        ({"allowed_client_events": ["response.create"]}, "response.create"),
        ({"allowed_client_events": ["response.item.create"]}, "response.item.create"),
        (
            {"allowed_client_events": ["session.instructions.append", "session.update"]},
            "session.update, session.instructions.append",
        ),
    ],
)
def test_a_channel_that_tells_the_session_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, channel: Any, told: str
) -> None:
    talk(tmp_path, {"client": {"data_channel": channel}})
    [line] = [each for each in caplog.messages if "open data channel" in each]
    assert told in line


@pytest.mark.parametrize(
    ("channel", "told"),
    [
        (
            {"allowed_client_events": ["session.close", "session.thinking.apend"]},
            'session.thinking.apend, did you mean \\"session.thinking.append\\"?',
        ),
        (
            {"allowed_server_events": ["session.delegation.create", {"type": "tomorrow"}]},
            'session.delegation.create, did you mean \\"session.delegation.created\\"?; tomorrow',
        ),
        ({"allowed_server_events": ["session.input_audio.mute"]}, "session.input_audio.muted"),
    ],
)
def test_an_event_that_nobody_knows_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, channel: Any, told: str
) -> None:
    profile = talk(tmp_path, {"client": {"data_channel": channel}})
    [line] = [each for each in caplog.messages if "unknown data channel events" in each]
    assert told in line
    [name] = channel
    sent = profile.session["client"]["data_channel"][name]
    assert len(sent) > len(channel[name]), "it may be newer than this release"


def test_known_events_are_not_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    response = {"type": "response.event", "response_event": "response.output_text.delta"}
    lists: list[dict[str, Any]] = [
        {
            "allowed_client_events": sorted(event_types(ClientEvent)),
            "allowed_server_events": [
                *sorted(event_types(ServerEvent) - {"response.event"}),
                response,
            ],
        },
        {"allowed_client_events": "all", "allowed_server_events": "all"},
        {},
    ]
    for channel in lists:
        talk(tmp_path, {"client": {"data_channel": channel}})
    assert not any("unknown data channel" in each for each in caplog.messages)


def event_types(union: Any) -> set[str]:
    """The types of the official events."""
    if fields := getattr(union, "model_fields", None):
        return set(get_args(fields["type"].annotation))
    return set().union(*map(event_types, get_args(union)))


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


UNKNOWN: list[tuple[Any, str]] = [
    ({"instruction": "x"}, 'session.instruction: unknown field, did you mean "instructions"?'),
    ({"modle": "x"}, 'session.modle: unknown field, did you mean "model"?'),
    (
        {"idle_timeout": 60},
        'session.idle_timeout: unknown field, did you mean "idle_timeout_s"?',
    ),
    ({"voice": "marin"}, "session.voice: unknown field, expected session.audio.output.voice"),
    ({"type": "realtime"}, "session.type: unknown field, expected nothing"),
    ({"tools": []}, "session.tools: unknown field, expected session.delegation.responses.tools"),
    ({"turn_detection": None}, "session.turn_detection: unknown field, expected nothing"),
    ({"temperature": 1}, "session.temperature: unknown field"),
    ({"metadata": {}}, "session.metadata: unknown field, expected nothing"),
    ({"safety_identifier": "x"}, "session.safety_identifier: unknown field, expected nothing"),
    ({"audio": {"format": {}}}, "session.audio.format: unknown field, expected nothing"),
    (
        {"audio": {"output": {"speed": 1.2}}},
        "session.audio.output.speed: unknown field, expected nothing: say in session.instructions",
    ),
    ({"transcription": {}}, "session.transcription: unknown field, expected nothing: GPT-Live"),
    (
        {"audio": {"input": {"transcription": {}, "noise_reduction": None}}},
        "session.audio.input: unknown field, expected nothing: GPT-Live transcribes always",
    ),
    (
        {"input_audio_transcription": {}},
        "session.input_audio_transcription: unknown field, expected nothing: GPT-Live",
    ),
    (
        {"client": {"data_channel": {"allowed_client_event": []}}},
        "session.client.data_channel.allowed_client_event: unknown field, did you mean "
        '"allowed_client_events"?',
    ),
    (
        {"delegation": {"type": "responses", "responses": {"tool": []}}},
        'session.delegation.responses.tool: unknown field, did you mean "tools"?',
    ),
]


@pytest.mark.parametrize(("session", "words"), UNKNOWN)
def test_an_unknown_field_is_refused_with_the_nearest_right_name(
    tmp_path: Path, session: Any, words: str
) -> None:
    [line] = mistakes(tmp_path, session)
    assert line.startswith(words)


@pytest.mark.parametrize(
    ("named", "meant"),
    [("Live", "live"), ("LIVE", "live"), ("Realtime", "realtime"), ("telephone", ""), ([], "")],
)
def test_an_api_that_there_is_not_is_one_mistake(tmp_path: Path, named: Any, meant: str) -> None:
    (line,) = mistakes(tmp_path, {"client": {}, "idle_timeout_s": 60}, api=named)
    suffix = f', did you mean "{meant}"?' if meant else ""
    assert line == f'api: expected one of "realtime", "live"{suffix}'


def test_a_profile_may_be_left_out_of_recording(tmp_path: Path) -> None:
    assert talk(tmp_path, {}).recorded
    assert talk(tmp_path, {}, recording="on").recorded
    assert not talk(tmp_path, {}, recording="off").recorded
    (mistake,) = mistakes(tmp_path, {}, recording="yes")
    assert mistake.startswith("recording: ")


@pytest.mark.parametrize(
    ("field", "value"),
    [("session_from_page", True), ("webrtc_filter", "off"), ("mcp_approvals", {})],
)
def test_what_only_a_realtime_profile_has_is_refused(
    tmp_path: Path, field: str, value: Any
) -> None:
    [line] = mistakes(tmp_path, {}, **{field: value})
    assert line.startswith(f"{field}: unknown field, expected ")


def test_an_api_that_is_not_known_and_one_that_is_missing(tmp_path: Path) -> None:
    [line] = mistakes(tmp_path, {"type": "realtime"}, api="lvie")
    assert line == 'api: expected one of "realtime", "live", did you mean "live"?'
    lines = mistakes(tmp_path, {"delegation": {"type": "client"}}, api="realtime")
    assert 'api: expected "live" for a session with delegation' in lines


def message(text: str = "x", role: str = "user", **part: Any) -> dict[str, Any]:
    return {"role": role, "content": [{"text": text, **part}]}


def word_tokens(number: int) -> str:
    return "word " * number


OVER: list[tuple[Any, str]] = [
    ({"input": [message()] * 129}, "session.input: expected 0 to 128 of them"),
    ({"input": [message(word_tokens(1100))] * 8}, "session.input: expected up to 8192 tokens"),
    ({"input": [message(role="system")]}, "session.input[0].role: expected one of"),
    ({"input": [{"role": "user", "content": []}]}, "session.input[0].content: expected 1 of them"),
    (
        {"input": [{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}]},
        "session.input[0].content: expected 1 of them",
    ),
    (
        {"input": [message(type="output_text")]},
        'session.input[0].content[0].type: expected "input_text" of the role user',
    ),
    (
        {"input": [message(role="assistant", type="input_text")]},
        'session.input[0].content[0].type: expected "text" or "output_text"',
    ),
    (
        {"input": [{"role": "user", "content": [{"type": "input_image", "text": "x"}]}]},
        "session.input[0].content[0].type: expected one of",
    ),
    ({"instructions": word_tokens(17_000)}, "session.instructions: expected up to 16384 tokens"),
    ({"idle_timeout_s": 60}, "session.wake_policy: missing, which idle_timeout_s needs"),
    (
        {"idle_timeout_s": 0, "wake_policy": {"type": "speech"}},
        "session.idle_timeout_s: expected integer from 1",
    ),
    (
        {"idle_timeout_s": 1.5, "wake_policy": {"type": "speech"}},
        "session.idle_timeout_s: expected integer",
    ),
    (
        {"wake_policy": {"type": "speech", "vad_threshold": 1.1}},
        "session.wake_policy.vad_threshold: expected number from 0 to 1",
    ),
    (
        {"client": {"data_channel": {"allowed_client_events": ["e"] * 257}}},
        "session.client.data_channel.allowed_client_events: expected",
    ),
    (
        {"client": {"data_channel": {"allowed_client_events": [f"event.{n}" for n in range(254)]}}},
        "session.client.data_channel.allowed_client_events: expected up to 256",
    ),
    (
        {"client": {"data_channel": {"allowed_server_events": "error"}}},
        'session.client.data_channel.allowed_server_events: expected "all" or array',
    ),
    (
        {"client": {"data_channel": {"allowed_client_events": [7]}}},
        "session.client.data_channel.allowed_client_events[0]: expected string of 1 to 128",
    ),
    (
        {"audio": {"output": {"voice": ""}}},
        "session.audio.output.voice: expected string that is not empty",
    ),
    (
        {"client": {"data_channel": {"allowed_server_events": [{"type": "response.event"}]}}},
        "session.client.data_channel.allowed_server_events[0].response_event: missing",
    ),
    (
        {
            "client": {
                "data_channel": {
                    "allowed_server_events": [{"type": "error", "response_event": "x"}]
                }
            }
        },
        "session.client.data_channel.allowed_server_events[0].response_event: expected with",
    ),
    ({"client": {}}, "session.client.data_channel: missing"),
    ({"delegation": {"type": "responses"}}, "session.delegation.responses: missing"),
    ({"delegation": {"type": "decisions"}}, "session.delegation.decisions: missing"),
    (
        {"delegation": {"type": "client", "responses": {}}},
        "session.delegation.responses: unknown field",
    ),
    (
        {"delegation": {"type": "responses", "responses": {"max_output_tokens": 15}}},
        "session.delegation.responses.max_output_tokens: expected",
    ),
]


@pytest.mark.parametrize(("session", "words"), OVER)
def test_what_the_endpoint_would_refuse_is_refused_at_start(
    tmp_path: Path, session: Any, words: str
) -> None:
    [line] = mistakes(tmp_path, session)
    assert line.startswith(words)


AT_LIMIT: list[Any] = [
    {"input": [message()] * 128},
    {"input": [message(word_tokens(400))] * 15},
    {"instructions": word_tokens(13_000)},
    {"instructions": None},
    {"delegation": None},
    {"delegation": {"type": "client", "acknowledgement_delay_ms": 300}},
    {"client": {"data_channel": {"allowed_client_events": [f"e{n}" for n in range(253)]}}},
    {"input": [message(role="developer", type="input_text"), message(role="assistant")]},
]


@pytest.mark.parametrize("session", AT_LIMIT)
def test_what_the_endpoint_takes_is_taken(tmp_path: Path, session: Any) -> None:
    profile = talk(tmp_path, session)
    OFFICIAL.validate_python(session_to_send(profile.session, frozenset()))


def with_tools(*tools: Any, **more: Any) -> dict[str, Any]:
    backend = {"model": "m", "tools": list(tools), **more}
    return {"delegation": {"type": "responses", "responses": backend}}


@pytest.mark.parametrize("tool", ["order_status", {"type": "function", "name": "order_status"}])
def test_a_server_tool_is_named_by_its_function_and_described_by_it(
    tmp_path: Path, tool: Any
) -> None:
    profile = talk(tmp_path, with_tools(tool))
    [sent] = profile.session["delegation"]["responses"]["tools"]
    assert (sent["type"], sent["name"]) == ("function", "order_status")
    assert "order_number" in sent["parameters"]["properties"]
    OFFICIAL.validate_python(dict(profile.session))


def test_a_function_that_nobody_runs_is_refused(tmp_path: Path) -> None:
    [line] = mistakes(tmp_path, with_tools("order_state"))
    assert line.startswith("session.delegation.responses.tools[0].name: expected a tool of the")
    assert 'did you mean "order_status"?' in line
    page_runs = {"client": {"data_channel": {"allowed_client_events": ["response.item.create"]}}}
    talk(tmp_path, {**with_tools("order_state"), **page_runs})


def test_a_choice_of_a_tool_that_there_is_not_is_refused(tmp_path: Path) -> None:
    choice = {"type": "function", "name": "nobody"}
    [line] = mistakes(tmp_path, with_tools("order_status", tool_choice=choice))
    assert line.startswith("session.delegation.responses.tool_choice.name: expected the name")


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search"},
        {"type": "file_search", "vector_store_ids": ["vs_1"]},
        {"type": "mcp", "server_label": "a", "server_url": "x", "require_approval": "never"},
    ],
)
def test_hosted_tools_are_passed_on(tmp_path: Path, tool: Any) -> None:
    [sent] = talk(tmp_path, with_tools(tool)).session["delegation"]["responses"]["tools"]
    assert sent == tool


def test_an_mcp_tool_that_would_ask_for_approval_is_refused(tmp_path: Path) -> None:
    tool = {"type": "mcp", "server_label": "a", "server_url": "x"}
    [line] = mistakes(tmp_path, with_tools(tool))
    assert "require_approval: missing" in line


def test_private_instructions_goodbye_and_roles_are_as_for_realtime(tmp_path: Path) -> None:
    env = {"KEY_VAULT_URI": "https://demo.vault.azure.net"}
    profile = talk(tmp_path, {}, env, instructions_secret="words", goodbye="Bye.", roles=["staff"])
    assert (profile.instructions_secret, profile.goodbye) == ("words", "Bye.")
    assert profile.roles == {"staff"}
    lines = mistakes(tmp_path, {"instructions": "x"}, instructions_secret="words")
    assert any("KEY_VAULT_URI" in line for line in lines)
    assert any("nothing beside instructions_secret" in line for line in lines)


def write_talk(folder: Path, **content: Any) -> None:
    (folder / "default.json").write_text(json.dumps({"session": {"type": "realtime"}}))
    (folder / "talk.json").write_text(json.dumps({"api": "live", "session": {}, **content}))


BACKEND: dict[str, Any] = {"delegation": {"type": "responses", "responses": {}}}
TWO = frozenset({"help_desk", "travel"})


@pytest.mark.parametrize(
    "delegation", [{}, {"delegation": None}, {"delegation": {"type": "client"}}]
)
def test_a_profile_says_which_function_does_its_work(tmp_path: Path, delegation: Any) -> None:
    write_talk(tmp_path, session=delegation, delegation_function="travel")
    profile = load_with(TWO, tmp_path).named("talk")
    assert profile.delegation_function == "travel"
    assert "delegation_function" not in profile.session
    assert load_with(None, tmp_path).named("talk").delegation_function == "travel"


@pytest.mark.parametrize("delegations", [None, frozenset[str](), frozenset({"help_desk"})])
def test_a_profile_need_not_say_it_where_there_is_no_choice(
    tmp_path: Path, delegations: frozenset[str] | None
) -> None:
    write_talk(tmp_path)
    assert load_with(delegations, tmp_path).named("talk").delegation_function is None


@pytest.mark.parametrize(
    ("delegations", "content", "words"),
    [
        (TWO, {}, "missing, and these are registered: help_desk, travel"),
        (
            TWO,
            {"delegation_function": "helpdesk"},
            'expected a function registered with @registry.delegation, did you mean "help_desk"?',
        ),
        (
            frozenset(),
            {"delegation_function": "help_desk"},
            "expected a function registered with @registry.delegation",
        ),
        (
            TWO,
            {"delegation_function": "travel", "session": BACKEND},
            "expected nothing beside a session.delegation of type responses",
        ),
        (TWO, {"delegation_function": ""}, "expected string"),
        (TWO, {"delegation_function": None}, "expected string"),
    ],
)
def test_a_function_that_does_no_work_for_the_profile_is_refused(
    tmp_path: Path, delegations: frozenset[str], content: Any, words: str
) -> None:
    write_talk(tmp_path, **content)
    with pytest.raises(ConfigurationError) as wrong:
        load_with(delegations, tmp_path)
    [line] = wrong.value.mistakes
    assert line.partition("talk.json: ")[2].startswith(f"delegation_function: {words}")


def test_several_functions_are_nothing_to_a_profile_with_a_backend(tmp_path: Path) -> None:
    write_talk(tmp_path, session=BACKEND)
    assert load_with(TWO, tmp_path).named("talk").delegation_function is None


PAGE_ANSWERS = {
    "client": {"data_channel": {"allowed_client_events": ["session.commentary.append"]}}
}


@pytest.mark.parametrize(
    ("observer", "delegations", "session", "warned"),
    [
        ("eager", frozenset({"help_desk"}), {}, ""),
        ("eager", None, {}, ""),
        ("eager", frozenset(), {}, "delegation without a function"),
        ("eager", frozenset(), BACKEND, ""),
        ("off", frozenset({"help_desk"}), {}, "delegation without an observer"),
        ("off", frozenset(), {"delegation": {"type": "client"}}, "delegation without an observer"),
        ("off", frozenset({"help_desk"}), PAGE_ANSWERS, ""),
        ("off", frozenset({"help_desk"}), BACKEND, ""),
    ],
)
def test_the_log_warns_of_work_that_nobody_does(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    observer: str,
    delegations: frozenset[str] | None,
    session: Any,
    warned: str,
) -> None:
    write_talk(tmp_path, session=session)
    load_with(delegations, tmp_path, OBSERVER=observer)
    lines = [line for line in caplog.messages if "delegation without" in line]
    assert lines == ([f'{warned} {{"profile": "talk"}}'] if warned else [])


def test_the_schema_has_the_fields_of_the_official_types() -> None:
    ours = set(SCHEMA["$defs"]["session"]["properties"])
    # The broker says itself which caller a call is for.
    assert ours == set(MediaSessionConfigParam.__annotations__) - {"safety_identifier"}
    backend = set(SCHEMA["$defs"]["responses"]["properties"])
    assert backend == set(ResponsesDelegationConfigParam.__annotations__)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("word " * 100, 100, 130),
        ("你" * 100, 100, 100),
        ("a" * 400, 100, 100),
        ("!?!? " * 50, 50, 70),
        ("Добрый день. " * 10, 20, 80),
    ],
)
def test_tokens_are_estimated_on_the_safe_side(text: str, least: int, most: int) -> None:
    assert least <= estimated_tokens(text) <= most
