"""The fields of a session, a response and a conversation item.

From the API reference of the GPT Realtime API (GA). Preview fields (`modalities`, `temperature`, a
top-level `voice`, …) are not part of it and are refused as unknown, as by the live service.
"""

from __future__ import annotations

from typing import Any

from realtime_emulator.protocol.validators import (
    anything,
    array,
    boolean,
    choice,
    either,
    integer,
    mapping,
    not_one_of,
    nullable,
    number,
    obj,
    string,
    tagged,
    wrong_type,
)

VOICES = (
    "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar",
)  # fmt: skip
KEY_SECONDS = (10, 7200)


def modalities(value: Any, path: str) -> None:
    """Audio or text, not both."""
    array(choice("audio", "text"))(value, path)
    if len(value) != 1:
        raise not_one_of(value, path, ("text", "audio"))


def max_output_tokens(value: Any, path: str) -> None:
    if value != "inf":
        integer(1, 4096)(value, path)


def function_name(value: Any, path: str) -> None:
    string(value, path)
    if not value:
        raise wrong_type(None, path, "a name")


FORMAT = tagged(
    {
        "audio/pcm": obj({"type": string, "rate": integer(24_000, 24_000)}),
        "audio/pcmu": obj({"type": string}),
        "audio/pcma": obj({"type": string}),
    }
)
TRANSCRIPTION = obj(
    {
        "model": string,
        "language": nullable(string),
        "languages": array(string),
        "prompt": nullable(string),
        "keywords": array(string),
        "delay": choice("minimal", "low", "medium", "high", "xhigh"),
    }
)
NOISE_REDUCTION = obj(
    {"type": choice("near_field", "far_field"), "strength": number(0, 1)}, required=("type",)
)
TURN_DETECTION = tagged(
    {
        "server_vad": obj(
            {
                "type": string,
                "threshold": number(0, 1),
                "prefix_padding_ms": integer(0, 60_000),
                "silence_duration_ms": integer(0, 60_000),
                "idle_timeout_ms": nullable(integer(5000, 30_000)),
                "create_response": boolean,
                "interrupt_response": boolean,
            }
        ),
        "semantic_vad": obj(
            {
                "type": string,
                "eagerness": choice("low", "medium", "high", "auto"),
                "create_response": boolean,
                "interrupt_response": boolean,
            }
        ),
    }
)
VOICE = either(text=choice(*VOICES), other=obj({"id": string}, required=("id",)))
FUNCTION = obj(
    {
        "type": string,
        "name": function_name,
        "description": string,
        "parameters": mapping(anything),
        "strict": boolean,
    },
    required=("name",),
)
MCP = obj(
    {
        "type": string,
        "server_label": string,
        **dict.fromkeys(
            (
                "server_url", "connector_id", "tunnel_id", "authorization", "headers",
                "allowed_tools", "allowed_callers", "require_approval", "server_description",
                "defer_loading",
            ),
            anything,
        ),
    },
    required=("server_label",),
)  # fmt: skip
TOOLS = array(tagged({"function": FUNCTION, "mcp": MCP}))
TOOL_CHOICE = either(
    text=choice("auto", "none", "required"),
    other=tagged(
        {
            "function": obj({"type": string, "name": string}, required=("name",)),
            "mcp": obj(
                {"type": string, "server_label": string, "name": nullable(string)},
                required=("server_label",),
            ),
        }
    ),
)
TRUNCATION = either(
    text=choice("auto", "disabled"),
    other=tagged(
        {
            "retention_ratio": obj(
                {
                    "type": string,
                    "retention_ratio": number(0, 1),
                    "token_limits": nullable(obj({"post_instructions": integer(0, 1_000_000)})),
                },
                required=("retention_ratio",),
            )
        }
    ),
)
TRACING = nullable(
    either(
        text=choice("auto"),
        other=obj({"workflow_name": string, "group_id": string, "metadata": mapping(anything)}),
    )
)
PROMPT = nullable(
    obj(
        {"id": string, "version": nullable(string), "variables": nullable(mapping(anything))},
        required=("id",),
    )
)
REASONING = obj({"effort": choice("minimal", "low", "medium", "high", "xhigh")})
OUTPUT_FORMAT = {"format": FORMAT, "voice": VOICE}

INPUT = obj(
    {
        "format": FORMAT,
        "transcription": nullable(TRANSCRIPTION),
        "noise_reduction": nullable(NOISE_REDUCTION),
        "turn_detection": nullable(TURN_DETECTION),
    }
)
INCLUDE = nullable(array(choice("item.input_audio_transcription.logprobs")))
SESSION = tagged(
    {
        "transcription": obj({"type": string, "audio": obj({"input": INPUT}), "include": INCLUDE}),
        "realtime": obj(
            {
                "type": string,
                "model": string,
                "instructions": string,
                "output_modalities": modalities,
                "audio": obj(
                    {
                        "input": INPUT,
                        "output": obj({**OUTPUT_FORMAT, "speed": number(0.25, 1.5)}),
                    }
                ),
                "tools": TOOLS,
                "tool_choice": TOOL_CHOICE,
                "parallel_tool_calls": boolean,
                "reasoning": REASONING,
                "max_output_tokens": max_output_tokens,
                "tracing": TRACING,
                "truncation": TRUNCATION,
                "include": INCLUDE,
                "prompt": PROMPT,
            }
        ),
    }
)
EXPIRES_AFTER = obj({"anchor": choice("created_at"), "seconds": integer(*KEY_SECONDS)})
SECRET_REQUEST = obj({"expires_after": nullable(EXPIRES_AFTER), "session": SESSION})
