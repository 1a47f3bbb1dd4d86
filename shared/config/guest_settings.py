"""The broker's settings in a function app of somebody else's (docs/existing-function-app.md).
Pure."""

from __future__ import annotations

from collections.abc import Mapping

from shared.storage.factory import CONNECTION, with_connection

PLATFORM = (
    *(CONNECTION, "APPLICATIONINSIGHTS_", "AZURE_", "FUNCTIONS_", "WEBSITE_"),
    *("IDENTITY_", "MSI_", "CONTAINER_APP_", "AzureFunctionsJobHost__"),
)
"""What the names of the platform's settings begin with."""
OURS_LIKE_THE_PLATFORMS = ("AZURE_RESOURCE",)


def settings_under(
    env: Mapping[str, str], prefix: str, connection: str = CONNECTION
) -> dict[str, str]:
    """Those whose names begin with `prefix`, without it, and the platform's. What else there is, is
    not the broker's to read or to judge. `connection` is that of the broker's storage."""
    if connection != CONNECTION:
        env = with_connection(env, connection)
    platform = {
        name: value
        for name, value in env.items()
        if name.startswith(PLATFORM) and name not in OURS_LIKE_THE_PLATFORMS
    }
    own = {
        name.removeprefix(prefix): value for name, value in env.items() if name.startswith(prefix)
    }
    return {**platform, **own}
