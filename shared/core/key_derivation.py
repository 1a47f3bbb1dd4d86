"""One key for each purpose from the one secret of the broker."""

from __future__ import annotations

import hashlib
import hmac

LEAST = 32


def derive_key(secret: str | bytes, purpose: str) -> bytes:
    """32 bytes that only `secret` and `purpose` lead to: HKDF-SHA256 (RFC 5869), one block.

    Raises ValueError for a secret under 32 bytes.
    """
    given = secret.encode() if isinstance(secret, str) else secret
    if len(given) < LEAST:
        raise ValueError("the broker's secret must have 32 bytes or more")
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), given, "sha256")
    return hmac.digest(extracted, purpose.encode() + b"\x01", "sha256")
