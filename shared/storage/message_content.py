"""The content of a queue's messages: base64 of UTF-8 text, as Azure Functions expects it."""

from __future__ import annotations

import base64
import binascii

from shared.storage.interfaces import Malformed
from shared.storage.validation import check_message

CONTENT_BYTES = 64 * 1024


def check_content(content: str) -> str:
    """`content` if it fits into a message as it is. Raises ValueError."""
    if len(content.encode()) > CONTENT_BYTES:
        raise ValueError(f"the content is over {CONTENT_BYTES} bytes")
    return content


def encode_message(body: str) -> str:
    """The content of a message: the body in base64. Raises ValueError."""
    return base64.b64encode(check_message(body).encode()).decode()


def decode_message(content: str) -> tuple[str, Malformed]:
    """The body of a message, or its content and what that is not."""
    try:
        # As .NET does, which the real host decodes with: white space is skipped, padding is not.
        decoded = base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        return content, "base64"
    try:
        return decoded.decode(), ""
    except UnicodeDecodeError:
        return content, "utf-8"
