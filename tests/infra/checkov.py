"""Runs checkov on the resources that would be deployed: `python3 -m tests.infra.checkov`.

checkov does not read Bicep of today: it passes over every file that it cannot parse, and succeeds.
The compiler's snapshot has the resources with their final properties instead, of ps-rule.bicep, in
which every option is on. Standard library only: the workflow runs it before anything is installed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local.compiler import Compiler
from local.lint import find_bicep

ROOT = Path(__file__).parent.parent.parent
CONFIG = ROOT / "infra" / ".checkov.yaml"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
# There were 80 resources, and 40 checks that passed.
LEAST_RESOURCES, LEAST_CHECKS = 75, 35


def find_checkov() -> str | None:
    return os.environ.get("CHECKOV") or shutil.which("checkov")


def write_template(folder: Path, bicep: str) -> None:
    """A template of the expanded resources, which is all that checkov looks at."""
    with Compiler(bicep) as compiler, TemporaryDirectory() as scratch:
        compiled = compiler.compile(ROOT / "infra" / "ps-rule.bicep")
        Path(scratch, "main.json").write_text(compiled, encoding="utf-8")
        asked = Path(scratch, "asked.bicepparam")
        asked.write_text("using 'main.json'\n", encoding="utf-8")
        made = json.loads(compiler.snapshot(asked, SUBSCRIPTION, "eastus2"))
    template = {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "resources": made["predictedResources"],
    }
    Path(folder, "main.json").write_text(json.dumps(template, indent=2), encoding="utf-8")


def run_checkov(checkov: str, folder: Path) -> dict[str, Any]:
    """What checkov reports, as JSON."""
    done = subprocess.run(
        [checkov, "--config-file", str(CONFIG), "--directory", str(folder), "-o", "json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def findings(report: dict[str, Any]) -> list[str]:
    """What failed, and whether enough was looked at to believe the rest."""
    summary = report.get("summary", {})
    found = [
        f"{each['check_id']} {each['resource']}: {each['check_name']}"
        for each in report.get("results", {}).get("failed_checks", [])
    ]
    if summary.get("parsing_errors") != 0:
        found.append(f"{summary.get('parsing_errors')} files could not be parsed")
    for name, least in (("resource_count", LEAST_RESOURCES), ("passed", LEAST_CHECKS)):
        if summary.get(name, 0) < least:
            found.append(f"{name} is {summary.get(name, 0)}, fewer than {least}")
    return found


def main() -> int:
    bicep, checkov = find_bicep(), find_checkov()
    if not bicep or not checkov:
        sys.stdout.write("checkov: needs the Bicep compiler and checkov on PATH\n")
        return 1
    with TemporaryDirectory() as folder:
        write_template(Path(folder), bicep)
        report = run_checkov(checkov, Path(folder))
    found = findings(report)
    sys.stdout.write("".join(f"checkov: {each}\n" for each in found))
    if not found:
        sys.stdout.write(f"checkov: {report['summary']}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
