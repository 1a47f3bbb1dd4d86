"""A session's configuration: its defaults, and what an update changes.

Defaults, the order of the fields and the filling in of nested objects follow recorded live traffic.
The default voice and the silence that ends a turn depend on the model (200 ms and alloy up to
gpt-realtime-1.5, 500 ms and marin from gpt-realtime-2 on; measured on Azure).
"""

import copy
from datetime import timedelta
from typing import Any

from local.emulator.media.vad import TurnDetection
from local.emulator.protocol import ids
from local.emulator.protocol.validators import Invalid

Config = dict[str, Any]

PERSONA = (
    "You are a friendly voice assistant. Be brief, speak the caller's language, "
    "and call a function whenever one fits."
)
SEMANTIC_SILENCE = {"low": 2.0, "medium": 1.0, "auto": 1.0, "high": 0.5}


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
    """A session that nothing was asked of."""
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


def create(request: Config) -> Config:
    """The full session of a checked request that names its model."""
    return merged(defaults(request["model"]), request)


def begun(config: Config, expires_at: float) -> Config:
    """A session of its own for one call; `expires_at` is 0 until there is a call."""
    return {**copy.deepcopy(config), "id": ids.new("sess"), "expires_at": int(expires_at)}


def merged(config: Config, update: Config) -> Config:
    """`config` with what a checked `update` names; the model stays what it was."""
    out = copy.deepcopy(config)
    for name, value in update.items():
        if name == "audio":
            merge_input(out, value.get("input", {}))
            out["audio"]["output"].update(value.get("output", {}))
        elif name not in ("model", "type"):
            out[name] = copy.deepcopy(value)
    return out


def merge_input(out: Config, update: Config) -> None:
    heard = out["audio"]["input"]
    for name, value in update.items():
        if name == "transcription" and value is not None:
            before = heard[name] or {"model": "whisper-1", "language": None, "prompt": None}
            heard[name] = {**before, **value}
        elif name == "turn_detection" and value is not None:
            heard[name] = {**turn_detection_base(heard[name], value["type"], out["model"]), **value}
        else:
            heard[name] = value


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


def updated(config: Config, update: Config, *, has_spoken: bool) -> Config:
    """The session after `session.update`, whose fields were checked.

    Raises:
        Invalid: the voice once the assistant has spoken, or tracing once it is on. Nothing of the
            update is applied then.
    """
    out = merged(config, update)
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


def ears_of(config: Config) -> TurnDetection | None:
    """How the ears find turns. `semantic_vad` is stood in for by a longer or shorter silence."""
    wanted = config["audio"]["input"]["turn_detection"]
    if wanted is None:
        return None
    if wanted["type"] == "semantic_vad":
        return TurnDetection(
            silence_duration=timedelta(seconds=SEMANTIC_SILENCE[wanted["eagerness"]])
        )
    return TurnDetection(
        threshold=wanted["threshold"],
        prefix_padding=timedelta(milliseconds=wanted["prefix_padding_ms"]),
        silence_duration=timedelta(milliseconds=wanted["silence_duration_ms"]),
    )


def turn_rule(config: Config, name: str) -> bool:
    """`create_response` or `interrupt_response`; false in push-to-talk."""
    wanted = config["audio"]["input"]["turn_detection"]
    return bool(wanted and wanted[name])
