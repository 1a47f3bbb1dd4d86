"""Profiles of GPT-Live (`"api": "live"`): what is wrong with one, and what is filled in. Pure.

The fields are those of a Live session over WebRTC (OpenAI's API specification and official Python
types, 2026), in profiles/live-profile.schema.json. GPT-Live's own schema is as strict, and refuses
most of Realtime's fields: where one of those belongs here is said in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.config.data_channel import ALL, check_channel, widened_channel
from shared.config.function_tools import FillTools, demanded_function
from shared.core.json_schema import Schema, did_you_mean, validation_errors
from shared.core.token_estimate import estimated_tokens

INSTRUCTIONS_TOKENS = 16_384
HISTORY_TOKENS = 8_192
MESSAGE_TOKENS = 8
"""What a message of the history costs beside its text (measured)."""
CLIENT = "client"
"""The type of a delegation to whoever holds the sideband, or the data channel."""
RUNS_FUNCTIONS = "response.item.create"
"""The client event with which whoever may send it answers the calls of functions."""
ELSEWHERE: Mapping[str, str] = {
    "webrtc_filter": "session.client.data_channel, which says what the page receives",
    "session_from_page": "session.client.data_channel, which says what the page may send: it can "
    "never replace a Live session",
    "mcp_approvals": 'an MCP tool with "require_approval": "never"',
    "session.type": "nothing: a Live session has no type",
    "session.tools": "session.delegation.responses.tools",
    "session.tool_choice": "session.delegation.responses.tool_choice",
    "session.parallel_tool_calls": "session.delegation.responses.parallel_tool_calls",
    "session.reasoning": "session.delegation.responses.reasoning",
    "session.max_output_tokens": "session.delegation.responses.max_output_tokens",
    "session.voice": "session.audio.output.voice",
    "session.history": "session.input",
    "session.audio.voice": "session.audio.output.voice",
    "session.audio.input": "nothing: GPT-Live transcribes always, has no turns to detect "
    "and takes the caller's audio as it is",
    "session.audio.output.speed": "nothing: say in session.instructions how fast to speak",
    "session.speed": "nothing: say in session.instructions how fast to speak",
    "session.transcription": "nothing: GPT-Live transcribes both sides always",
    "session.input_audio_transcription": "nothing: GPT-Live transcribes both sides always",
    "session.input_audio_noise_reduction": "nothing: GPT-Live takes the caller's audio as it is",
    "session.audio.format": "nothing: WebRTC negotiates the format",
    "session.audio.output.format": "nothing: WebRTC negotiates the format",
    "session.turn_detection": "nothing: GPT-Live has no turns to detect",
    "session.output_modalities": "nothing: GPT-Live always speaks",
    "session.safety_identifier": "nothing: the broker says which caller a call is for "
    "(REALTIME_SAFETY_IDENTIFIER)",
    "session.metadata": "nothing: a Live session has no metadata",
}
"""What is expected instead of some fields that are not in the schema, by their path."""
PARTS = {
    "developer": ("input_text",),
    "user": ("input_text",),
    "assistant": ("text", "output_text"),
}


def live_errors(
    content: Any, schema: Schema, model: str | None, server_tools: frozenset[str] | None
) -> list[str]:
    """What is wrong with a live profile's file. `model` is the default one of its delegation;
    `server_tools` are the functions of the server, None if they are not known."""
    moved = list(misplaced(content))
    wrong = [f"{path}: unknown field, expected {ELSEWHERE[path]}" for path in moved]
    for line in validation_errors(content, schema):
        path, _, words = line.partition(": ")
        if path not in moved or not words.startswith("unknown field"):
            wrong.append(line)
    if wrong:
        return wrong
    session: Mapping[str, Any] = content["session"]
    return [
        *check_instructions(session),
        *check_history(session.get("input", ())),
        *check_channel(session.get("client", {}).get("data_channel", {})),
        *check_idle(session),
        *check_triggers(session.get("triggers", ())),
        *check_delegation(session, model, server_tools),
    ]


def misplaced(content: Any) -> Iterator[str]:
    """The paths of `ELSEWHERE` that a file has."""
    for path in ELSEWHERE:
        found = content
        for name in path.split("."):
            found = found.get(name, ELSEWHERE) if isinstance(found, Mapping) else ELSEWHERE
            if found is ELSEWHERE:
                break
        else:
            yield path


def check_instructions(session: Mapping[str, Any]) -> list[str]:
    tokens = estimated_tokens(session.get("instructions") or "")
    if tokens <= INSTRUCTIONS_TOKENS:
        return []
    return [
        f"session.instructions: expected up to {INSTRUCTIONS_TOKENS} tokens; these have about "
        f"{tokens}"
    ]


def check_history(messages: Any) -> list[str]:
    """What is wrong with the history that a call begins with."""
    wrong = []
    for at, message in enumerate(messages):
        kind = message["content"][0].get("type")
        wanted = PARTS[message["role"]]
        if kind is not None and kind not in wanted:
            words = " or ".join(f'"{each}"' for each in wanted)
            wrong.append(
                f"session.input[{at}].content[0].type: expected {words} of the role "
                f"{message['role']}"
            )
    tokens = sum(
        estimated_tokens(message["content"][0]["text"]) + MESSAGE_TOKENS for message in messages
    )
    if tokens > HISTORY_TOKENS:
        wrong.append(
            f"session.input: expected up to {HISTORY_TOKENS} tokens in all; these have about "
            f"{tokens}"
        )
    return wrong


def check_idle(session: Mapping[str, Any]) -> list[str]:
    if "idle_timeout_s" in session and "wake_policy" not in session:
        return ["session.wake_policy: missing, which idle_timeout_s needs"]
    return []


def check_triggers(triggers: Any) -> list[str]:
    events = [trigger["event_type"] for trigger in triggers]
    if len(events) > len(set(events)):
        return ["session.triggers: expected one for each event_type at most"]
    return []


def check_delegation(
    session: Mapping[str, Any], model: str | None, server_tools: frozenset[str] | None
) -> list[str]:
    """What is wrong with a backend: that it has no model, or functions that nobody runs. The
    backend waits for their outputs, and the caller hears silence."""
    responses = responses_in(session)
    if responses is None:
        return []
    where, wrong = "session.delegation.responses", []
    if not responses.get("model") and not model:
        wrong.append(f"{where}.model: missing, and LIVE_DELEGATION_MODEL too")
    known = None if page_runs_functions(session) else server_tools
    named = list(functions_of(responses))
    for at, name in named:
        if known is not None and name not in known:
            meant = did_you_mean(name, set(known)) or ","
            wrong.append(
                f"{where}.tools[{at}].name: expected a tool of the server{meant} or a page that "
                f"may send {RUNS_FUNCTIONS} and so runs it"
            )
    must = demanded_function(responses)
    if must is not None and must not in [name for _, name in named]:
        wrong.append(f"{where}.tool_choice.name: expected the name of a function in its tools")
    return wrong


def check_delegation_function(
    content: Mapping[str, Any], delegations: frozenset[str] | None
) -> list[str]:
    """What is wrong with who does the work that is delegated to the server. `delegations` are the
    functions that are registered for it; None if they are not known."""
    named, kind = content.get("delegation_function"), delegation_type(content["session"])
    wrong = ""
    if kind != CLIENT:
        if named is not None:
            wrong = f"expected nothing beside a session.delegation of type {kind}"
    elif delegations is not None:
        if named is None and len(delegations) > 1:
            wrong = f"missing, and these are registered: {', '.join(sorted(delegations))}"
        elif named is not None and named not in delegations:
            meant = did_you_mean(named, set(delegations))
            wrong = f"expected a function registered with @registry.delegation{meant}"
    return [f"delegation_function: {wrong}"] if wrong else []


def delegation_type(session: Mapping[str, Any]) -> str:
    """Who does what a session delegates: client is the server, which is the default."""
    return str((session.get("delegation") or {}).get("type") or CLIENT)


def page_runs_functions(session: Mapping[str, Any]) -> bool:
    """Whether the page may answer the calls of functions."""
    return page_may_send(session, RUNS_FUNCTIONS)


def page_may_send(session: Mapping[str, Any], event: str) -> bool:
    """Whether the profile lets the page send that client event."""
    allowed = session.get("client", {}).get("data_channel", {}).get("allowed_client_events") or ()
    return allowed == ALL or event in allowed


def responses_in(session: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The backend of a session whose tasks the service delegates to one; None of any other."""
    delegation = session.get("delegation") or {}
    found = delegation.get("responses")
    return found if isinstance(found, Mapping) else None


def functions_of(responses: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """The functions that a backend may call, each with its place."""
    for at, tool in enumerate(responses.get("tools", ())):
        if isinstance(tool, str):
            yield at, tool
        elif tool["type"] == "function":
            yield at, tool["name"]


def complete_live_session(
    session: Mapping[str, Any], model: str, delegation_model: str, fill_tools: FillTools
) -> dict[str, Any]:
    """The session that is sent: with its models, the tools of the server and the lists of the data
    channel, which are never left out."""
    channel = session.get("client", {}).get("data_channel", {})
    complete = {
        "model": model,
        **session,
        "client": {"data_channel": widened_channel(channel)},
    }
    responses = responses_in(session)
    if responses is not None:
        backend = {"model": delegation_model, **responses}
        if "tools" in backend:
            backend["tools"] = complete_tools(backend["tools"], fill_tools)
        complete["delegation"] = {**session["delegation"], "responses": backend}
    return complete


def complete_tools(tools: Any, fill_tools: FillTools) -> list[Any]:
    """The backend's tools, with what the server's own are described as."""
    named = [
        {"type": "function", "name": tool} if isinstance(tool, str) else tool for tool in tools
    ]
    filled = fill_tools({"tools": named})["tools"]
    # Without it the backend makes every parameter of a function required.
    return [
        {**tool, "strict": False} if tool != given and "strict" not in tool else tool
        for tool, given in zip(filled, named, strict=True)
    ]
