"""Derives one key per purpose from the broker's secret."""

from __future__ import annotations

import hashlib
import hmac

MIN_SECRET_BYTES = 32


def derive_key(secret: str | bytes, purpose: str) -> bytes:
    """32 bytes from `secret` and `purpose`: HKDF-SHA256 (RFC 5869), one block.

    Raises ValueError for a secret under 32 bytes.
    """
    given = secret.encode() if isinstance(secret, str) else secret
    if len(given) < MIN_SECRET_BYTES:
        raise ValueError("the broker's secret must have 32 bytes or more")
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), given, "sha256")
    return hmac.digest(extracted, purpose.encode() + b"\x01", "sha256")
