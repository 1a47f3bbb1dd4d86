"""Call ids as clients may see them: encrypted, bound to their owner, good until the call's end.

A call id is all that it takes to hang a call up or to listen in, so no client ever sees one. A
handle carries it under AES-256-GCM, with the owner's id as associated data, and is checked without
a lookup. One layout: version (1 byte), nonce (12), sealed (8 bytes of expiry, the call id, 16 bytes
of tag), in unpadded URL-safe base64.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from shared.core.clock import Clock, utc_now
from shared.core.key_derivation import derive_key
from shared.core.problems import Problem
from shared.credentials.broker_secret import Secrets, SecretSource

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\x01"
NONCE = 12
EXPIRY = 8
LONGEST_CALL_ID = 256
LONGEST = 512
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REMEMBERED_SECRETS = 4


class Handles:
    """Seals and opens handles.

    `secret` seals; handles sealed with a secret of `previous_secrets` are opened too, so a rotation
    refuses nobody. While several instances take turns to learn a new secret, let all of them accept
    it as a previous one first, then seal with it.
    """

    def __init__(
        self,
        secret: str | bytes,
        previous_secrets: Sequence[str | bytes] = (),
        *,
        clock: Clock = utc_now,
    ) -> None:
        self.keys = [derive_key(each, "call handle") for each in (secret, *previous_secrets)]
        self.clock = clock

    @cached_property
    def ciphers(self) -> list[AESGCM]:
        # Imported at the first use: 20 ms that the first request of a cold start can do without.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return [AESGCM(key) for key in self.keys]

    def seal(self, call_id: str, owner: str, expires: datetime) -> str:
        """The handle of a call for its owner, good until `expires` (aware). No two are alike."""
        if not 0 < len(call_id.encode()) <= LONGEST_CALL_ID:
            raise ValueError("a call id is 1 to 256 bytes")
        until = (expires - EPOCH) // timedelta(milliseconds=1)
        nonce = os.urandom(NONCE)
        text = until.to_bytes(EXPIRY, "big") + call_id.encode()
        sealed = self.ciphers[0].encrypt(nonce, text, VERSION + owner.encode())
        return base64.urlsafe_b64encode(VERSION + nonce + sealed).rstrip(b"=").decode()

    def open(self, handle: str, *owners: str) -> str:
        """The call id, if one of `owners` (one caller's ids, old and new) owns it.

        Raises Problem call_not_found for everything else, and does not say why: not theirs, past
        its time, tampered with, of another broker, or no handle at all.
        """
        sealed = unpacked(handle)
        for cipher in self.ciphers:
            for owner in owners:
                text = opened(cipher, sealed, owner)
                if text is None:
                    continue
                until = int.from_bytes(text[:EXPIRY], "big")
                if (self.clock() - EPOCH) // timedelta(milliseconds=1) >= until:
                    raise Problem("call_not_found")
                return text[EXPIRY:].decode()
        raise Problem("call_not_found")


class RotatingHandles:
    """Gives `Handles` under the broker's current secret, which may be rotated at any time."""

    def __init__(self, secret: SecretSource, clock: Clock) -> None:
        self.secret = secret
        self.clock = clock
        self.handles_under = lru_cache(maxsize=REMEMBERED_SECRETS)(self.open_handles)

    def current(self) -> Handles:
        """The handles as they are sealed and opened now. Raises Problem vault_…"""
        return self.handles_under(self.secret.current())

    def open_handles(self, secrets: Secrets) -> Handles:
        return Handles(secrets[0], secrets[1:], clock=self.clock)


def unpacked(handle: str) -> bytes:
    """The bytes of a handle of this layout, written in the one way `seal` writes them."""
    if 0 < len(handle) <= LONGEST and handle.isascii():
        try:
            sealed = base64.b64decode(handle + "=" * (-len(handle) % 4), b"-_", validate=True)
        except binascii.Error:
            sealed = b""
        if (
            sealed.startswith(VERSION)
            and len(sealed) > 1 + NONCE + EXPIRY + 16
            and base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() == handle
        ):
            return sealed
    raise Problem("call_not_found")


def opened(cipher: AESGCM, sealed: bytes, owner: str) -> bytes | None:
    """What was sealed, or None if not by this key and for this owner."""
    from cryptography.exceptions import InvalidTag

    nonce, content = sealed[1 : 1 + NONCE], sealed[1 + NONCE :]
    try:
        return cipher.decrypt(nonce, content, VERSION + owner.encode())
    except InvalidTag:
        return None
