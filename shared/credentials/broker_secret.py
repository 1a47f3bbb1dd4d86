"""The broker's own secret, which seals handles and keys the callers' ids, and the previous ones."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Protocol

from shared.config.env import parse_broker_secrets
from shared.config.settings import SecretSettings
from shared.config.unusable_values import unfilled
from shared.core.problems import Problem
from shared.credentials.key_vault import SecretStore

Secrets = tuple[str, ...]
"""The current secret first, then the previous ones, which are still accepted."""


class SecretSource(Protocol):
    """Where the broker's secret comes from."""

    def current(self) -> Secrets:
        """The secret as it is now, and the previous ones. Raises Problem vault_…"""


class FixedSecret:
    """A secret that a setting holds, or one made up for the life of this process."""

    def __init__(self, values: Sequence[str]) -> None:
        self.values = tuple(values)

    def current(self) -> Secrets:
        return self.values


class VaultSecret:
    """A secret in Key Vault, which may be rotated while the broker runs."""

    def __init__(self, vault: SecretStore, name: str) -> None:
        self.vault = vault
        self.name = name

    def current(self) -> Secrets:
        value = self.vault.secret(self.name)
        if unfilled(value) is not None:
            raise Problem(
                "vault_secret_unavailable",
                "The secret of BROKER_SECRET_NAME stands for another value, which it should hold.",
            )
        try:
            return parse_broker_secrets(value)
        except ValueError:
            raise Problem(
                "vault_secret_unavailable",
                "The broker's secret is too short: 32 bytes or more.",
            ) from None


def open_broker_secret(settings: SecretSettings, vault: SecretStore) -> SecretSource:
    """The source that the settings ask for: a setting, the vault or, on a laptop, a random one."""
    if settings.broker_secrets:
        return FixedSecret(settings.broker_secrets)
    if settings.broker_secret_name is not None and settings.vault_uri:
        return VaultSecret(vault, settings.broker_secret_name)
    return FixedSecret((secrets.token_hex(32),))
