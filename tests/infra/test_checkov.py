"""checkov finds nothing except what infra/.checkov.yaml skips with a reason."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.checkov import (
    CONFIG,
    LEAST_CHECKS,
    LEAST_RESOURCES,
    find_checkov,
    findings,
    run_checkov,
    write_template,
)
from tests.infra.expansion import COMPILER, needs_compiler

ROOT = Path(__file__).parent.parent.parent


def test_every_exception_has_a_reason_and_none_is_there_twice() -> None:
    text = CONFIG.read_text(encoding="utf-8")
    skipped = yaml.safe_load(text)["skip-check"]
    assert len(skipped) == len(set(skipped))
    groups = re.split(r"^  # ", text.partition("skip-check:")[2], flags=re.MULTILINE)[1:]
    assert all(len(group.partition("  - ")[0]) > 40 for group in groups)
    assert sum(group.count("- CKV") for group in groups) == len(skipped)


def report(**changed: Any) -> dict[str, Any]:
    summary = {"parsing_errors": 0, "resource_count": LEAST_RESOURCES, "passed": LEAST_CHECKS}
    failed = changed.pop("failed", [])
    return {"summary": summary | changed, "results": {"failed_checks": failed}}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"parsing_errors": 13}, "13 files could not be parsed"),
        ({"resource_count": 0}, "resource_count is 0"),
        ({"passed": 1}, "passed is 1, fewer than"),
        ({"failed": [{"check_id": "CKV_1", "resource": "r", "check_name": "n"}]}, "CKV_1 r: n"),
    ],
)
def test_a_run_that_saw_nothing_is_not_green(changed: dict[str, Any], said: str) -> None:
    assert findings(report()) == []
    assert any(said in each for each in findings(report(**changed)))
    # It prints this where it found nothing to look at.
    assert findings({"passed": 0, "failed": 0, "resource_count": 0, "parsing_errors": 0})


@needs_compiler
@pytest.mark.skipif(
    not find_checkov(),
    reason="checkov is not installed (290 MB); CI runs it, or name it in CHECKOV",
)
def test_checkov_finds_nothing_else(tmp_path: Path) -> None:
    write_template(tmp_path, COMPILER)
    assert findings(run_checkov(find_checkov() or "", tmp_path)) == []
