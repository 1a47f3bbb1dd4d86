"""The three deployments of infra/snapshots/ are kept as they would be made."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from local import snapshots
from tests.infra.deployed import findings
from tests.infra.expansion import Expansion, compiler, needs_compiler

ROOT = Path(__file__).parent.parent.parent
NAMES = ("default", "private", "regions")


def given(name: str) -> dict[str, object]:
    """The parameters of a kept deployment, whose values are all JSON but for their quotes."""
    text = (snapshots.FOLDER / f"{name}.bicepparam").read_text(encoding="utf-8")
    found = re.findall(r"^param (\w+) = (.+)$", text, re.MULTILINE)
    return {key: json.loads(value.replace("'", '"')) for key, value in found}


def kept(name: str) -> Expansion:
    file = snapshots.FOLDER / f"{name}.snapshot.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    return Expansion(tuple(content["predictedResources"]), content["outputs"])


@needs_compiler
def test_what_is_kept_would_be_deployed_so() -> None:
    assert sorted(path.stem for path in snapshots.FOLDER.glob("*.bicepparam")) == [*NAMES]
    said = "if it is meant: python3 -m local.snapshots --write"
    assert snapshots.compare(compiler()) == [], said


@pytest.mark.parametrize("name", NAMES)
def test_a_kept_deployment_keeps_the_rules(name: str) -> None:
    """These need no compiler: what is kept is judged where there is none."""
    assert [*findings(kept(name), given(name))] == []


@needs_compiler
def test_a_change_is_named_by_what_it_changes_in_azure(tmp_path: Path) -> None:
    folder = tmp_path / "infra"
    shutil.copytree(ROOT / "infra", folder, ignore=shutil.ignore_patterns("hooks", "site"))
    storage = folder / "modules" / "storage.bicep"
    text = storage.read_text(encoding="utf-8")
    text = text.replace("allowSharedKeyAccess: false", "allowSharedKeyAccess: true")
    storage.write_text(text.replace("'leases', ", ""), encoding="utf-8")
    for other in NAMES[1:]:
        (folder / "snapshots" / f"{other}.bicepparam").unlink()
    gone, changed = snapshots.compare(compiler(), folder / "snapshots")
    if "tables/leases" in changed:
        gone, changed = changed, gone
    assert gone.startswith("default: - /subscriptions/")
    assert gone.endswith("/tableServices/default/tables/leases")
    assert changed.endswith("properties.allowSharedKeyAccess: false -> true")
    assert snapshots.write(compiler(), folder / "snapshots") == ["default"]
    assert snapshots.compare(compiler(), folder / "snapshots") == []


@needs_compiler
def test_what_is_missing_is_told(tmp_path: Path) -> None:
    assert snapshots.compare(compiler(), tmp_path) == [f"{tmp_path} has no deployments"]
    shutil.copy(snapshots.FOLDER / "default.bicepparam", tmp_path)
    assert snapshots.compare(compiler(), tmp_path) == ["default.snapshot.json: missing"]


def test_without_a_compiler_nothing_is_called_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(snapshots, "find_bicep", lambda: None)
    assert snapshots.main([]) == 2
    assert "needs the Bicep compiler" in capsys.readouterr().err


def test_the_workflow_compares_them() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    commands = [each.get("run", "") for each in workflow["jobs"]["infrastructure"]["steps"]]
    assert "python3 -m local.snapshots" in commands
