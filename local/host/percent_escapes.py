"""Percent-escapes of paths and queries, decoded as .NET decodes them."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

ESCAPES = re.compile("(?:%[0-9A-Fa-f]{2})+")


def unescape(text: str) -> str:
    """Decodes percent-escapes as .NET does: those that are not UTF-8 stay as they are."""
    return ESCAPES.sub(decode_escapes, text) if "%" in text else text


def decode_escapes(found: re.Match[str]) -> str:
    escaped, decoded, position = found[0], "", 0
    for character in unquote_to_bytes(escaped).decode(errors="surrogateescape"):
        length = 1 if "\udc80" <= character <= "\udcff" else len(character.encode())
        kept = escaped[3 * position : 3 * (position + 1)]
        decoded += kept if "\udc80" <= character <= "\udcff" else character
        position += length
    return decoded
