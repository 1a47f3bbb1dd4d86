"""A vault of fixed secrets."""

from __future__ import annotations

from collections.abc import Mapping

from shared.core.problems import Problem


class FixedVault:
    """A `SecretStore` that holds `secrets`."""

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        self.secrets = dict(secrets or {})

    def secret(self, name: str) -> str:
        if name not in self.secrets:
            raise Problem("vault_secret_unavailable")
        return self.secrets[name]
