"""preprovision: values that are made once and must not change with the next deployment.

They go into the azd environment (`.azure/<name>/.env`, which is not committed). A secret that
Bicep made up would be another one after every `azd provision`, and end every handle and every
caller's limits with it.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from azd_tools import Outside, Stop, main, parameters

SECRET_BYTES = 32


def first_values(outside: Outside, today: datetime | None = None) -> None:
    """Makes what is missing. Raises `Stop` in a pipeline, which would make it anew each time."""
    values: dict[str, str] = {}
    if not outside.env.get("BROKER_SECRET"):
        values["BROKER_SECRET"] = secrets.token_hex(SECRET_BYTES)
    chosen = parameters(outside.env)
    if int(chosen["monthlyBudget"] or 0) > 0 and not chosen["budgetStartDate"]:
        values["BUDGET_START_DATE"] = f"{today or datetime.now(UTC):%Y-%m}-01"
    if values and outside.env.get("CI"):
        raise Stop(
            f"{', '.join(sorted(values))} is not set. A pipeline must not make it up: every run "
            "would make another one, and another secret ends the calls and resets the limits. Run "
            "`azd pipeline config`, which copies it from your azd environment; or add the secret "
            "BROKER_SECRET of 64 hex digits, or the variable BUDGET_START_DATE, to the repository."
        )
    if values:
        remember(outside, values)
        outside.say("Made once, kept in the azd environment: " + ", ".join(sorted(values)))


def remember(outside: Outside, values: dict[str, str]) -> None:
    """Writes values into the azd environment, through a file: arguments can be seen by others."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "values.env"
        file.touch(mode=0o600)
        lines = (f'{name}="{value}"\n' for name, value in sorted(values.items()))
        file.write_text("".join(lines), encoding="utf-8")
        outside.azd(["env", "set", "--file", str(file)])


if __name__ == "__main__":
    sys.exit(main(first_values))
