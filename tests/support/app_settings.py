"""The app settings of a broker under test."""

from __future__ import annotations

from typing import Final

API_KEY: Final = "k3y-of-the-resource"
BROKER_SECRET: Final = "b" * 40
LINKED: Final = {
    "CALLER_AUTH": "static-web-apps",
    "WEBSITE_HOSTNAME": "app.azurewebsites.net",
    "WEBSITE_AUTH_ENABLED": "True",
}
"""Of an app in Azure that is linked to a Static Web App."""


def app_settings(endpoint: str, **changes: str) -> dict[str, str]:
    """Settings for a broker of the model's endpoint at `endpoint`, without limits and observers.

    All anonymous callers are one caller, and storage in memory outlives a test: limits would hold
    for all tests together.
    """
    return {
        "REALTIME_ENDPOINT": endpoint,
        "REALTIME_MODEL": "gpt-realtime",
        "REALTIME_API_KEY": API_KEY,
        "CALLER_AUTH": "anonymous",
        "BROKER_SECRET": BROKER_SECRET,
        "LIMIT_STARTS_PER_MINUTE": "0",
        "LIMIT_LIVE_CALLS": "0",
        # The scripted endpoint has no WebSocket; observers are tested against the emulator.
        "OBSERVER": "off",
        **changes,
    }
