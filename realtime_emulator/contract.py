"""Which contract this emulator speaks, and its version, which says so.

The first two numbers are those of the `openai` package whose types every event is tested against;
the third is our own. So a project that uses openai 3.57 installs `realtime-emulator~=3.57.0`.
"""

from __future__ import annotations

from typing import Final

__version__ = "3.57.0"
APIS: Final = {
    "realtime": "Realtime API, general availability (client_secrets, calls, sideband)",
    "live": "GPT-Live (sessions, attach, fork)",
}
PREFIX: Final = {"azure": "/openai/v1", "openai": "/v1"}
"""What the paths of each provider begin with."""


def describe_version() -> str:
    """A line per fact, as `realtime-emulator --version` prints it."""
    release = ".".join(__version__.split(".")[:2])
    spoken = [f"  {name}: {what}" for name, what in APIS.items()]
    return "\n".join(
        [f"realtime-emulator {__version__}, the contract of openai {release}", *spoken]
    )
