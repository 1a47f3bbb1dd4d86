"""The limits of a Live session that its shape does not express."""

from __future__ import annotations

from typing import Any

from realtime_emulator.live.token_count import count_tokens
from realtime_emulator.protocol.validators import Invalid

INSTRUCTIONS_TOKENS = 16_384
HISTORY_MESSAGES = 128
HISTORY_TOKENS = 8_192
TOKENS_PER_MESSAGE = 7
"""What each message adds to its text, measured: 20 messages of 402 tokens pass, of 422 do not."""
LIST_ENTRIES = 256
FEWEST_OUTPUT_TOKENS = 16
PCM_RATES = (16_000, 24_000)
TELEPHONE_RATE = 8_000
LONGEST = 86_400
"""Seconds, or a thousand of them in milliseconds: more than a session lasts, so that no number is
too large to wait for. Not a limit of the live service's."""


def check_limits(session: dict[str, Any], *, has_media: bool) -> None:
    """Checks a session that has its shape. `has_media`: WebRTC, where the format of the audio is
    negotiated. Raises Invalid."""
    check_instructions(session.get("instructions"))
    check_history(session.get("input") or [])
    check_lists((session.get("client") or {}).get("data_channel") or {})
    check_format((session.get("audio") or {}).get("format"), has_media=has_media)
    check_triggers(session.get("triggers") or [])
    check_idle(session)
    check_backend(session.get("delegation") or {})


def invalid(message: str, param: str) -> Invalid:
    return Invalid("invalid_value", message, param)


def check_instructions(instructions: str | None) -> None:
    if instructions and count_tokens(instructions) > INSTRUCTIONS_TOKENS:
        message = f"Instructions must not exceed {INSTRUCTIONS_TOKENS} tokens"
        raise invalid(message, "session.instructions")


def check_history(messages: list[dict[str, Any]]) -> None:
    if len(messages) > HISTORY_MESSAGES:
        message = f"Session input must not exceed {HISTORY_MESSAGES} messages."
        raise invalid(message, "session.input")
    total = 0
    for index, item in enumerate(messages):
        if len(item["content"]) != 1:
            raise invalid(
                "Each message of the session input must have exactly one text part.",
                f"session.input[{index}].content",
            )
        total += TOKENS_PER_MESSAGE + count_tokens(item["content"][0]["text"])
    if total > HISTORY_TOKENS:
        message = f"Session input must not exceed {HISTORY_TOKENS} tokens."
        raise invalid(message, "session.input")


def check_lists(channel: dict[str, Any]) -> None:
    base = "session.client.data_channel"
    for name, entries in channel.items():
        if len(entries) > LIST_ENTRIES and entries != "all":
            raise invalid(f"'{name}' holds at most {LIST_ENTRIES} entries.", f"{base}.{name}")
    selectors = channel.get("allowed_server_events", "all")
    for index, selector in enumerate([] if selectors == "all" else selectors):
        path = f"{base}.allowed_server_events[{index}].response_event"
        is_nested = selector["type"] == "response.event"
        if is_nested and "response_event" not in selector:
            raise invalid("'response_event' is required for 'response.event'.", path)
        if not is_nested and "response_event" in selector:
            raise invalid("'response_event' is only allowed for 'response.event'.", path)


def check_format(audio: dict[str, Any] | None, *, has_media: bool) -> None:
    if audio is None:
        return
    if has_media:
        message = "'audio.format' is only supported on primary WebSocket connections."
        raise invalid(message, "session.audio.format")
    allowed = PCM_RATES if audio["type"] == "audio/pcm" else (TELEPHONE_RATE,)
    if audio["rate"] not in allowed:
        rates = " or ".join(map(str, allowed))
        raise invalid(f"The rate of {audio['type']} must be {rates}.", "session.audio.format.rate")


def check_triggers(triggers: list[dict[str, Any]]) -> None:
    kinds = [trigger["event_type"] for trigger in triggers]
    if len(kinds) != len(set(kinds)):
        raise invalid("At most one trigger is allowed for each event type.", "session.triggers")


def check_idle(session: dict[str, Any]) -> None:
    timeout, policy = session.get("idle_timeout_s"), session.get("wake_policy")
    if timeout is not None and not 0 < timeout <= LONGEST:
        raise invalid("'idle_timeout_s' must be a positive integer.", "session.idle_timeout_s")
    if timeout is not None and policy is None:
        message = "'idle_timeout_s' requires a speech 'wake_policy'."
        raise invalid(message, "session.idle_timeout_s")
    threshold = (policy or {}).get("vad_threshold", 0)
    if not 0 <= threshold <= 1:
        message = "'vad_threshold' must be between 0 and 1."
        raise invalid(message, "session.wake_policy.vad_threshold")


def check_backend(delegation: dict[str, Any]) -> None:
    delay = delegation.get("acknowledgement_delay_ms", 0)
    if not 0 <= delay <= 1000 * LONGEST:
        message = "'acknowledgement_delay_ms' must be a duration in milliseconds."
        raise invalid(message, "session.delegation.acknowledgement_delay_ms")
    most = (delegation.get("responses") or {}).get("max_output_tokens")
    if most is not None and most < FEWEST_OUTPUT_TOKENS:
        message = f"'max_output_tokens' must be at least {FEWEST_OUTPUT_TOKENS}."
        raise invalid(message, "session.delegation.responses.max_output_tokens")
