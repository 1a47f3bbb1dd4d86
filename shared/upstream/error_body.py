"""An error reply of the endpoint, or of whatever stands in front of it, read as untrusted. Pure.

Azure's gateway sends `code` and `message` in `error`, OpenAI `type` and `param` too; API Management
puts `statusCode` and `message` at the top, other gateways `message`, `detail` or a page of HTML;
some 400s have no body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.core import logs
from shared.upstream.scrubbing import scrubbed
from shared.upstream.transport import Reply

REQUEST_IDS = ("apim-request-id", "x-request-id", "x-ms-request-id", "x-azure-ref", "cf-ray")
"""Response headers by which the endpoint's operator finds the request; the first one that is there.
Azure's, OpenAI's, API Management's, Front Door's and Cloudflare's."""
LONGEST_TEXT = 2000
TAG = re.compile(r"<[^<>]{0,200}>")
QUOTED_FIELD = re.compile(r"['\"`](session[\w.\[\]-]{0,90})['\"`]")
"""A field of the session in a message, for errors without `param`."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error reply says. `codes` are its code, its inner code and its type, lower-case;
    `text` is code and message, lower-case, to search; `foreign` says that the body is not JSON, so
    that it is not the endpoint's own. `message` may quote the request: see `evidence`."""

    status: int
    code: str
    codes: frozenset[str]
    param: str
    text: str
    foreign: bool
    headers: Mapping[str, str] = field(repr=False)
    message: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    endpoint: str = ""

    def evidence(self) -> dict[str, Any]:
        """Fields for the log: what the endpoint says, with nothing of the request in it."""
        ids = (logs.safe_word(self.headers.get(name, "")) for name in REQUEST_IDS)
        return {
            "endpoint": self.endpoint,
            "status": self.status,
            "upstream_code": logs.safe_word(self.code),
            "field": self.param,
            "policy": logs.safe_word(self.headers.get("policy-id", "")),
            "upstream_request": next((each for each in ids if each), ""),
            # A page of a gateway's is of no use in a log, and may have anything in it.
            "message": "" if self.foreign else scrubbed(self.message, self.secrets),
            "body": "not JSON" if self.foreign else "",
        }


def read_error(reply: Reply) -> ErrorBody:
    """What the error `reply` says, whatever its shape."""
    content = reply.json()
    error = first_object(content.get("error"), content.get("errors"), content.get("detail"))
    if error is None:
        error = content
    inner = first_object(error.get("innererror"), error.get("inner_error")) or {}
    code = word(error.get("code")) or word(error.get("type"))
    message = first_text(
        *(error.get("message"), content.get("message"), content.get("error")),
        *(content.get("detail"), content.get("error_description"), error.get("title")),
    )
    begins = reply.body[:LONGEST_TEXT].strip()
    foreign = not content and bool(begins) and not begins.startswith(b"{")
    if foreign:
        message = TAG.sub(" ", reply.body[:LONGEST_TEXT].decode("utf-8", "replace")).strip()
    codes = (code, word(error.get("type")), word(inner.get("code")), word(content.get("error")))
    text = f"{code} {message}"[:LONGEST_TEXT]
    named = QUOTED_FIELD.search(text)
    return ErrorBody(
        status=reply.status,
        code=code,
        codes=frozenset(each.lower() for each in codes if each),
        param=logs.safe_word(error.get("param")) or (named[1] if named else ""),
        text=text.lower(),
        foreign=foreign,
        headers=reply.headers,
        message=message,
        secrets=reply.secrets,
        endpoint=reply.endpoint,
    )


def first_object(*values: Any) -> dict[str, Any] | None:
    """The first JSON object among the values; of a list, its first element."""
    for value in values:
        each = value[0] if isinstance(value, list) and value else value
        if isinstance(each, dict):
            return each
    return None


def first_text(*values: Any) -> str:
    return next((each for each in values if isinstance(each, str) and each), "")[:LONGEST_TEXT]


def word(value: Any) -> str:
    """A code, which may be a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**9 else ""
    return value[:LONGEST_TEXT] if isinstance(value, str) else ""
