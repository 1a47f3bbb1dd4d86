"""The body of /token's response: an ephemeral key for a page, and where it posts its offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.config.settings import TokenSettings
from shared.core import logs
from shared.realtime.ephemeral_keys import EphemeralKey

TOKENS_NOT_HELD = (
    "a key from /api/token can start several calls, unseen and past every limit, until it expires; "
    "TOKEN_ENDPOINT=off issues none"
)


def log_token_endpoint(settings: TokenSettings) -> None:
    """Logs what cannot be held while pages get keys."""
    if settings.enabled:
        life = int(settings.life.total_seconds())
        logs.event("token endpoint on", key_seconds=life, note=TOKENS_NOT_HELD)


@dataclass(frozen=True, slots=True)
class Token:
    """An ephemeral key for a page, and where the page posts its offer."""

    key: EphemeralKey
    url: str
    endpoint: str
    model: str

    def public(self) -> dict[str, Any]:
        """The body of /token's answer, without the session, which holds the instructions.

        `token` and `value` are the same key, because pages use both names.
        """
        return {
            "token": self.key.value,
            "value": self.key.value,
            "expires_at": int(self.key.expires_at.timestamp()),
            "url": self.url,
            "endpoint": self.endpoint,
            "model": self.model,
        }
