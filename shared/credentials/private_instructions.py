"""Fills in the instructions that a profile keeps in Key Vault."""

from __future__ import annotations

from shared.config.profiles import Profile
from shared.credentials.key_vault import SecretStore


def complete_profile(profile: Profile, vault: SecretStore) -> Profile:
    """The profile as it is sent upstream. Raises the Problems of `SecretStore.secret`."""
    if profile.instructions_secret is None:
        return profile
    return profile.with_instructions(vault.secret(profile.instructions_secret))
