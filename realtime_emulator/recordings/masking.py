"""Takes secrets, words and audio out of what is recorded, and leaves its shape.

What is kept is listed; everything else that is text is masked: letters become x, digits 1, and the
length stays. So what a new release of the API adds is masked until somebody has looked at it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from realtime_emulator.protocol.journal import LEFT_OUT

KEPT: Final = frozenset(
    {
        *("type", "object", "status", "role", "phase", "code", "param", "model", "voice", "reason"),
        *("name", "eagerness", "language", "effort", "truncation", "tool_choice", "target"),
        *("anchor", "server_label", "connector_id", "require_approval", "modality", "detail"),
        *("output_modalities", "modalities", "include", "required", "encoding", "tracing"),
        *("allowed_client_events", "allowed_server_events", "service_tier", "delay", "mode"),
        *("previous_response_status", "verbosity", "summary", "retention"),
    }
)
"""Fields whose texts are words of the API, or names that a replay needs: of functions, models."""
LEFT_OUT_FIELDS: Final = frozenset({"audio", "sdp", "image_url", "file_data", "encrypted_content"})
SECRET_FIELDS: Final = frozenset({"authorization", "headers", "api_key", "value"})
SECRET: Final = re.compile(r"\b(?:(?:ek|sk|pk)[_-]|Bearer |eyJ)[A-Za-z0-9_.+/=-]{6,}")
PREFIXES: Final = "event|item|resp|sess|rtc|live|conv|call|msg|fc|rs|del|dlg"
SHAPED_ID: Final = re.compile(
    rf"((?:{PREFIXES})_(?:u\d+_)?).+|([a-z]+_)[A-Za-z0-9]{{16,}}", re.DOTALL
)
"""An id of the service. The prefix of another is somebody's word, and is not kept."""
KEPT_HEADERS: Final = frozenset(
    {
        *("content-type", "location", "retry-after", "cache-control", "timing-allow-origin"),
        *("access-control-allow-origin", "access-control-expose-headers"),
        *("access-control-allow-headers", "access-control-allow-methods"),
    }
)
HAVE_IDS: Final = ("calls", "sessions")
"""What an id follows in a path."""
KEPT_QUERY: Final = frozenset({"webrtcfilter", "model", "graceful_close", "call_id"})
JSON_WORD: Final = re.compile(r"\\u[0-9a-fA-F]{4}|\\.|[^\W_]+", re.DOTALL)
LITERALS: Final = frozenset({"true", "false", "null"})


class Masker:
    """Masks the lines of one run. An id becomes the same other id wherever it is met.

    With `keep_words`, only secrets, audio and SDP go.
    """

    def __init__(self, *, keep_words: bool = False) -> None:
        self.keep_words = keep_words
        self.ids: dict[str, str] = {}

    def mask(self, value: Any, field: str = "") -> Any:
        """A masked copy of a JSON value. `field` is where it was found."""
        if isinstance(value, dict):
            return {name: self.mask_field(name, part, field) for name, part in value.items()}
        if isinstance(value, list):
            return [self.mask(part, field) for part in value]
        return self.mask_text(value, field) if isinstance(value, str) else value

    def mask_field(self, name: str, value: Any, parent: str) -> Any:
        if name in SECRET_FIELDS and value is not None and not isinstance(value, int | float):
            return "masked" if isinstance(value, str) else {}
        if name in LEFT_OUT_FIELDS and isinstance(value, str):
            return LEFT_OUT
        if parent == "metadata" and isinstance(value, str):
            return value if self.keep_words else mask_words(value)
        if name == "parameters":
            return self.mask_schema(value)
        return self.mask(value, name)

    def mask_schema(self, value: Any, field: str = "") -> Any:
        """A function's JSON schema: names and types are kept; descriptions and values are not."""
        if isinstance(value, dict):
            return {name: self.mask_schema(part, name) for name, part in value.items()}
        if isinstance(value, list):
            return [self.mask_schema(part, field) for part in value]
        return self.mask_text(value, field) if isinstance(value, str) else value

    def mask_text(self, text: str, field: str) -> str:
        if SECRET.search(text):
            text = SECRET.sub("masked", text)
        if field == "id" or field.endswith(("_id", "_ids", "call_id")):
            return self.mask_id(text)
        if field in KEPT or text == LEFT_OUT:
            return text
        if field == "message":
            return text if self.keep_words else re.sub(r"(['\"`])[^'\"`]*\1", r"\1x\1", text)
        return text if self.keep_words else mask_words(text)

    def mask_id(self, text: str) -> str:
        """The same id with another tail: its prefix and length are kept."""
        if text not in self.ids:
            match = SHAPED_ID.fullmatch(text)
            prefix = (match[1] or match[2]) if match else ""
            number = str(len(self.ids) + 1)
            self.ids[text] = prefix + number.rjust(max(0, len(text) - len(prefix)), "0")
        return self.ids[text]

    def mask_path(self, path: str) -> str:
        """A URL's path, with the ids in it masked."""
        parts = path.split("/")
        return "/".join(
            self.mask_id(part) if before in HAVE_IDS else part
            for before, part in zip(["", *parts], parts, strict=False)
        )

    def mask_headers(self, headers: dict[str, str]) -> dict[str, str]:
        """The headers that say something about the contract."""
        kept = {name.lower(): text for name, text in headers.items()}
        return {
            name: self.mask_path(text) if name == "location" else text
            for name, text in kept.items()
            if name in KEPT_HEADERS
        }

    def mask_query(self, query: dict[str, str]) -> dict[str, str]:
        return {
            name: self.mask_id(text) if name == "call_id" else text
            for name, text in query.items()
            if name in KEPT_QUERY
        }


def mask_words(text: str) -> str:
    """Letters as x, digits as 1. JSON stays JSON: its escapes and literals are kept."""

    def masked(match: re.Match[str]) -> str:
        word = match[0]
        if word in LITERALS or (word.startswith("\\") and not word.startswith("\\u")):
            return word
        if word.startswith("\\u"):
            return "x"
        return "".join("1" if c.isdigit() else "x" for c in word)

    return JSON_WORD.sub(masked, text)
