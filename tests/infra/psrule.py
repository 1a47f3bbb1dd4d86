"""Whether PSRule has looked at anything: `python3 -m tests.infra.psrule RESULTS`.

PSRule succeeds where no file matches its paths, and where no rule applies to what it expanded.
Standard library only: the workflow runs it before anything is installed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

# There were 192 results of the 62 rules that apply (version 1.47.0).
LEAST_RESULTS = 150
MUST_BE_SEEN = (
    "Microsoft.CognitiveServices/accounts",
    "Microsoft.KeyVault/vaults",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Web/sites",
)


def lacking(results: Path) -> list[str]:
    """What PSRule has not looked at, by the file of its results as JSON."""
    if not results.is_file():
        return [f"{results} does not exist: PSRule processed no rule"]
    records = json.loads(results.read_text(encoding="utf-8-sig") or "[]") or []
    processed = [each for each in records if each.get("outcome") in ("Pass", "Fail")]
    seen = {str(each.get("targetType")).lower() for each in processed}
    found = [f"no rule looked at {each}" for each in MUST_BE_SEEN if each.lower() not in seen]
    if len(processed) < LEAST_RESULTS:
        found.append(f"{len(processed)} results, fewer than {LEAST_RESULTS}")
    return found


def main(arguments: list[str]) -> int:
    found = lacking(Path(arguments[0]))
    sys.stdout.write("".join(f"PSRule: {each}\n" for each in found) or "PSRule: looked at all\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
