"""Names from server events that may stand in a log, and in a record without words. Pure.

A page chooses the names of the fields that it sends, and an error repeats them. So a name is shown
only if it is the API's own; of any other the hash is, which tells two of them apart and no more.
"""

from __future__ import annotations

import re

from shared.core.untrusted import hashed, shown_path

CODES = frozenset(
    """
    buffer_too_small cannot_update_voice content_filter conversation_already_has_active_response
    conversation_item_not_found decimal_above_max_value decimal_below_min_value
    DeploymentNotFound duplicate_item_id inference_rate_limit_exceeded
    input_audio_buffer_commit_empty insufficient_quota integer_above_max_value
    integer_below_min_value internal_error invalid_api_key invalid_event
    invalid_function_call_output invalid_item_id invalid_json invalid_model
    invalid_request_error invalid_tool_call_id invalid_type invalid_value
    item_create_duplicate_id item_create_invalid_previous_item_id item_delete_invalid_item_id
    item_not_found item_retrieve_invalid_item_id item_truncate_invalid_item_id max_output_tokens
    missing_required_parameter model_not_found rate_limit_exceeded response_cancel_not_active
    server_error session_expired string_above_max_length tools_server_error turn_detected
    client_cancelled unknown_parameter unsupported_content_type unsupported_parameter
    """.split()  # noqa: SIM905
)
TYPES = frozenset(
    """
    authentication_error http_error insufficient_quota invalid_request_error permission_error
    protocol_error rate_limit_error server_error tokens tool_execution_error transcription_error
    """.split()  # noqa: SIM905
)
FIELDS = frozenset(
    """
    arguments audio audio_end_ms call_id content content_index conversation create_response
    delay detail eagerness effort event_id format headers id idle_timeout_ms image_url include
    input instructions interrupt_response item item_id keywords language languages
    max_output_tokens metadata model name noise_reduction object output output_modalities
    parallel_tool_calls parameters post_instructions prefix_padding_ms previous_item_id prompt
    rate reasoning require_approval response response_id retention_ratio role server_label
    server_url session silence_duration_ms speed status strength temperature text threshold
    token_limits tool_choice tools tracing transcript transcription truncation turn_detection
    type variables version voice
    """.split()  # noqa: SIM905
)
STATUSES = frozenset(
    """
    completed cancelled failed incomplete in_progress
    """.split()  # noqa: SIM905
)
TRANSCRIPTION_MODELS = frozenset(
    """
    gpt-4o-mini-transcribe gpt-4o-transcribe gpt-4o-transcribe-diarize gpt-live-transcribe
    gpt-realtime-whisper gpt-transcribe whisper-1
    """.split()  # noqa: SIM905
)
DATE = re.compile(r"-[0-9]{4}-[0-9]{2}-[0-9]{2}")
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")


def known_code(code: object) -> str | None:
    """An error's code or a reason; the hash of one that is not the API's own."""
    if code is None or code == "":
        return None
    return str(code) if code in CODES else hashed(str(code))


def known_type(kind: object) -> str | None:
    """An error's type."""
    if kind is None or kind == "":
        return None
    return str(kind) if kind in TYPES else hashed(str(kind))


def known_status(status: str | None) -> str | None:
    """A response's status."""
    return status if status is None or status in STATUSES else hashed(status)


def known_path(path: object) -> str | None:
    """The path of a field, as in `session.audio.output.voice`: as far as its names are known."""
    return shown_path(path, FIELDS)


def model_name(model: object) -> str | None:
    """The name of a model or deployment."""
    return model if isinstance(model, str) and MODEL.fullmatch(model) else None


def transcription_model(model: object, configured: str | None) -> str | None:
    """The name of a transcription model: the profile's, or the API's own. A page that decides its
    session may write any other."""
    if not isinstance(model, str) or not model:
        return None
    family = DATE.sub("", model[:200])
    known = model == configured or family in TRANSCRIPTION_MODELS
    return model_name(model) if known else hashed(model)
