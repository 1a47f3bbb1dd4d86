"""Names from the Live API's events that may stand in a log, and in a record without words. Pure.

A page chooses the names of the fields that it sends, and an error repeats them: such a name is
shown only if it is the API's own, and of any other the hash is. Codes, types and reasons are the
endpoint's words, of which new ones appear: one that is a word is shown.
"""

from __future__ import annotations

import re

from shared.core.untrusted import hashed, shown_path

FIELDS = frozenset(
    """
    acknowledgement_delay_ms allowed_client_events allowed_server_events audio client content
    data_channel decisions delegation delegation_id event event_id format id idle_timeout_s input
    instructions item item_id max_output_tokens model name output parallel_tool_calls parameters
    param rate reasoning responses role safety_identifier sdp service_tier session session_id store
    strict text tool_choice tools transport triggers type vad_threshold voice wake_policy
    """.split()  # noqa: SIM905
)
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}|[0-9]{1,6}")
UNKNOWN_CODE = "unknown"


def known_word(*told: object) -> str:
    """The first that is told of a code, a reason or a type; the hash of one that is no word."""
    found = next((each for each in told if each not in (None, "")), None)
    text = UNKNOWN_CODE if found is None else str(found)
    return text if WORD.fullmatch(text) else hashed(text)


def known_path(path: object) -> str | None:
    """The path of a field, as in `session.delegation.responses`: as far as its names are known."""
    return shown_path(path, FIELDS)
