"""A session's configuration: its defaults, and what an update changes.

The defaults, the order of the fields and how nested objects are filled in follow recorded live
traffic. The default voice and the silence that ends a turn depend on the model (200 ms and alloy up
to gpt-realtime-1.5, 500 ms and marin from gpt-realtime-2 on; measured on Azure).
"""

from __future__ import annotations

import copy
from typing import Any

from realtime_emulator.protocol import ids
from realtime_emulator.protocol.validators import Invalid

Config = dict[str, Any]

PERSONA = (
    "You are a friendly voice assistant. Be brief, speak the caller's language, "
    "and call a function whenever one fits."
)


def server_vad(model: str) -> Config:
    return {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500 if is_second_generation(model) else 200,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }


def is_second_generation(model: str) -> bool:
    return model.startswith("gpt-realtime-2") and not model.startswith("gpt-realtime-2025")


def defaults(model: str) -> Config:
    """The session for a request that names only its model."""
    pcm = {"type": "audio/pcm", "rate": 24_000}
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": ids.new("sess"),
        "model": model,
        "output_modalities": ["audio"],
        "instructions": PERSONA,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": 0,
        "audio": {
            "input": {
                "format": dict(pcm),
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": server_vad(model),
            },
            "output": {
                "format": dict(pcm),
                "voice": "marin" if is_second_generation(model) else "alloy",
                "speed": 1.0,
            },
        },
        "include": None,
    }


def is_transcription(config: Config) -> bool:
    """Whether a session only transcribes."""
    return bool(config["type"] == "transcription")


def transcription_defaults() -> Config:
    """The transcription session for a request that says nothing."""
    return {
        "type": "transcription",
        "object": "realtime.transcription_session",
        "id": ids.new("sess"),
        "expires_at": 0,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24_000},
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": detection_alone(server_vad("")),
            }
        },
        "include": None,
    }


def detection_alone(detection: Config | None) -> Config | None:
    """Turn detection without what it says about responses."""
    if detection is None:
        return None
    about_responses = ("create_response", "interrupt_response", "idle_timeout_ms")
    return {name: value for name, value in detection.items() if name not in about_responses}


def create(request: Config) -> Config:
    """The full session for a validated request that names its model."""
    if is_transcription(request):
        return merge(transcription_defaults(), request)
    return merge(defaults(request["model"]), request)


def for_call(config: Config, expires_at: float) -> Config:
    """A copy with a new id for one call. `expires_at` is 0 in a session without a call."""
    return {**copy.deepcopy(config), "id": ids.new("sess"), "expires_at": int(expires_at)}


def merge(config: Config, update: Config) -> Config:
    """`config` with the fields of a validated `update`, except the model, which never changes."""
    out = copy.deepcopy(config)
    for name, value in update.items():
        if name == "audio":
            merge_input(out, value.get("input", {}))
            if "output" in out["audio"]:
                out["audio"]["output"].update(value.get("output", {}))
        elif name == "tools":
            out[name] = [in_recorded_order(copy.deepcopy(tool)) for tool in value]
        elif name not in ("model", "type"):
            out[name] = copy.deepcopy(value)
    return out


def in_recorded_order(tool: Config) -> Config:
    """A tool with its first fields in the order in which sessions have them."""
    first = ("type", "name", "description", "parameters")
    return {**{name: tool[name] for name in first if name in tool}, **tool}


def merge_input(out: Config, update: Config) -> None:
    config = out["audio"]["input"]
    for name, value in update.items():
        if name == "transcription" and value is not None:
            before = config[name] or {"model": "whisper-1", "language": None, "prompt": None}
            config[name] = {**before, **value}
        elif name == "turn_detection" and value is not None:
            config[name] = {
                **turn_detection_base(config[name], value["type"], out.get("model", "")),
                **value,
            }
            if is_transcription(out):
                config[name] = detection_alone(config[name])
        else:
            config[name] = value


def turn_detection_base(before: Config | None, kind: str, model: str) -> Config:
    if before and before["type"] == kind:
        return before
    if kind == "server_vad":
        return server_vad(model)
    return {
        "type": kind,
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }


def apply_update(config: Config, update: Config, *, has_spoken: bool) -> Config:
    """The session after `session.update`, whose fields were validated.

    Raises Invalid, and applies nothing, if the update changes the voice after the assistant has
    spoken, or tracing once it is on.
    """
    if update["type"] != config["type"]:
        message = f"The type of this session is '{config['type']}', and stays so."
        raise Invalid("invalid_value", message, "session.type")
    out = merge(config, update)
    if is_transcription(config):
        return out
    if has_spoken and out["audio"]["output"]["voice"] != config["audio"]["output"]["voice"]:
        raise Invalid(
            "cannot_update_voice",
            "Cannot update a conversation's voice if assistant audio is present.",
            "session.audio.output.voice",
        )
    if config["tracing"] is not None and out["tracing"] != config["tracing"]:
        raise Invalid(
            "cannot_update_tracing",
            "Cannot update tracing once it is enabled for a session.",
            "session.tracing",
        )
    return out


def turn_flag(config: Config, name: str) -> bool:
    """`create_response` or `interrupt_response`; false in push-to-talk."""
    detection = config["audio"]["input"]["turn_detection"]
    return bool(detection and detection.get(name))
