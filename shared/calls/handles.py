"""Call ids as clients may see them: encrypted, bound to their caller, valid until the call's end.

A call id is all that is needed to hang a call up or to listen in, so no client ever sees one. A
handle carries it under AES-256-GCM, with the caller's id as associated data, and is checked without
a lookup. One layout: version (1 byte), nonce (12), ciphertext (8 bytes of expiry, the call id, 16
bytes of tag), in unpadded URL-safe base64.
"""

from __future__ import annotations

import base64
import binascii
import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from shared.core.clock import Clock, unix_milliseconds, utc_now
from shared.core.key_derivation import derive_key
from shared.core.problems import Problem
from shared.credentials.broker_secret import Secrets, SecretSource

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HANDLE_OUTLIVES_CALL = timedelta(minutes=10)
"""Long enough for a page to ask how its call ended."""
VERSION = b"\x01"
NONCE_BYTES = 12
EXPIRY_BYTES = 8
TAG_BYTES = 16
LONGEST_CALL_ID = 304
"""In bytes, with the names of its booking, its record, its API and its endpoint."""
LONGEST_HANDLE = 512
REMEMBERED_SECRETS = 4


class Handles:
    """Seals and opens handles.

    `secret` seals; handles sealed with one of `previous_secrets` are opened too, so a rotation
    locks nobody out. Instances learn a new secret at different times: let all of them accept it as
    a previous one first, then seal with it.
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
        # Imported at the first use: it would add 20 ms to the first request of a cold start.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return [AESGCM(key) for key in self.keys]

    def seal(self, call_id: str, caller_id: str, expires: datetime) -> str:
        """A handle of a call for its caller, valid until `expires` (aware). No two are alike."""
        if not 0 < len(call_id.encode()) <= LONGEST_CALL_ID:
            raise ValueError("a call id is 1 to 256 bytes")
        until = unix_milliseconds(expires)
        # Not os.urandom: the GIL would be released for it, and hundreds of threads wait for that.
        nonce = ssl.RAND_bytes(NONCE_BYTES)
        text = until.to_bytes(EXPIRY_BYTES, "big") + call_id.encode()
        sealed = self.ciphers[0].encrypt(nonce, text, VERSION + caller_id.encode())
        return base64.urlsafe_b64encode(VERSION + nonce + sealed).rstrip(b"=").decode()

    def open(self, handle: str, *caller_ids: str) -> str:
        """The call id, if it was sealed for one of `caller_ids` (one caller's, current and old).

        Raises Problem call_not_found for everything else, and does not say why: another caller's,
        expired, tampered with, of another broker, or no handle at all.
        """
        sealed = unpack_handle(handle)
        for cipher in self.ciphers:
            for caller_id in caller_ids:
                text = decrypt_handle(cipher, sealed, caller_id)
                if text is None:
                    continue
                until = int.from_bytes(text[:EXPIRY_BYTES], "big")
                if unix_milliseconds(self.clock()) >= until:
                    raise Problem("call_not_found")
                return text[EXPIRY_BYTES:].decode()
        raise Problem("call_not_found")


class RotatingHandles:
    """Gives `Handles` under the broker's current secret, which may be rotated at any time."""

    def __init__(self, secret: SecretSource, clock: Clock) -> None:
        self.secret = secret
        self.clock = clock
        self.handles_under = lru_cache(maxsize=REMEMBERED_SECRETS)(self.open_handles)

    def current(self) -> Handles:
        """The handles under the current secret. Raises Problem vault_secret_unavailable."""
        return self.handles_under(self.secret.current())

    def open_handles(self, secrets: Secrets) -> Handles:
        return Handles(secrets[0], secrets[1:], clock=self.clock)


def unpack_handle(handle: str) -> bytes:
    """The bytes of a handle, if it has this layout and the one encoding that `seal` produces.

    Raises Problem call_not_found.
    """
    if 0 < len(handle) <= LONGEST_HANDLE and handle.isascii():
        try:
            sealed = base64.b64decode(handle + "=" * (-len(handle) % 4), b"-_", validate=True)
        except binascii.Error:
            sealed = b""
        if (
            sealed.startswith(VERSION)
            and len(sealed) > len(VERSION) + NONCE_BYTES + EXPIRY_BYTES + TAG_BYTES
            and base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() == handle
        ):
            return sealed
    raise Problem("call_not_found")


def decrypt_handle(cipher: AESGCM, sealed: bytes, caller_id: str) -> bytes | None:
    """What was sealed; None if it was sealed with another key or for another caller."""
    from cryptography.exceptions import InvalidTag

    nonce, content = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        return cipher.decrypt(nonce, content, VERSION + caller_id.encode())
    except InvalidTag:
        return None
