"""The broker's own secret, which signs handles and hashes caller ids, and those before it."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from shared.config.env import broker_secrets
from shared.config.settings import Settings
from shared.core.problems import Problem
from shared.credentials.key_vault import Vault

Secrets = tuple[str, ...]


def secret_source(chosen: Settings, vault: Vault | None) -> Callable[[], Secrets]:
    """Where the broker's secret comes from: a setting, the vault, or, on a laptop, nowhere."""
    name = chosen.broker_secret_name
    if chosen.broker_secrets or vault is None or name is None:
        those = chosen.broker_secrets or (secrets.token_hex(32),)
        return lambda: those

    def from_vault() -> Secrets:
        try:
            return broker_secrets(vault.secret(name))
        except ValueError:
            raise Problem("vault_secret_unavailable", "The broker's secret is too short.") from None

    return from_vault
