"""Microsoft's compiler reports nothing about infra/, and lint reports what the compiler prints."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local import lint

ROOT = Path(__file__).parent.parent.parent
AGE = ROOT / ".github" / "bicep-age.json"
COMPILER = lint.find_bicep() or ""
FAKETIME = shutil.which("faketime") or ""
needs_compiler = pytest.mark.skipif(not COMPILER, reason=lint.NO_COMPILER)
needs_bash = pytest.mark.skipif(os.name == "nt", reason="a shell script")


def copy_of_modules(folder: Path, **changes: tuple[str, str]) -> Path:
    """A project of the named modules and the types that they import, with one text replaced in
    each."""
    modules = folder / "infra" / "modules"
    modules.mkdir(parents=True)
    shutil.copy(ROOT / "infra" / "bicepconfig.json", folder / "infra")
    shutil.copy(ROOT / "infra" / "modules" / "types.bicep", modules)
    for name, (old, new) in changes.items():
        path = modules / f"{name}.bicep"
        text = (ROOT / "infra" / "modules" / path.name).read_text(encoding="utf-8")
        assert old in text, "the text to replace is no longer in the file"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


def config(path: Path) -> dict[str, dict[str, Any]]:
    text = re.sub(r"^\s*//.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    rules: dict[str, dict[str, Any]] = json.loads(text)["analyzers"]["core"]["rules"]
    return rules


@needs_compiler
def test_the_compiler_is_silent_about_every_file() -> None:
    assert lint.run_bicep(COMPILER, ROOT) == ""


@needs_compiler
@pytest.mark.skipif(not FAKETIME, reason="needs faketime (Debian package faketime)")
def test_what_compiles_today_compiles_in_december_2029(tmp_path: Path) -> None:
    build = (COMPILER, "build", "--pattern", lint.BICEP_FILES, "--outdir", str(tmp_path))
    done = subprocess.run(
        [FAKETIME, "2029-12-01", *build],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    made = {path.relative_to(tmp_path).with_suffix("") for path in tmp_path.rglob("*.json")}
    infra = ROOT / "infra"
    assert made == {path.relative_to(infra).with_suffix("") for path in infra.rglob("*.bicep")}


@needs_compiler
def test_errors_warnings_and_unformatted_files_are_found(tmp_path: Path) -> None:
    root = copy_of_modules(
        tmp_path,
        budget=("amount: amount", "amount: amuont"),
        vault=("enableSoftDelete:", "enableSoftDeletion:"),
        identity=("  location: location", "    location: location"),
        model=("name: deploymentName", "name: '${deploymentName}'"),
        account=("", ""),
    )
    found = lint.run_bicep(COMPILER, root)
    assert re.search(r"budget\.bicep\(.*Error BCP\d+", found), found
    assert re.search(r"vault\.bicep\(.*Warning BCP\d+", found), found
    assert re.search(r"model\.bicep\(.*Error simplify-interpolation", found), found
    assert "infra/modules/identity.bicep: `bicep format " in found
    assert "account.bicep" not in found


@needs_compiler
def test_the_nightly_rules_find_an_old_api_version(tmp_path: Path) -> None:
    root = copy_of_modules(tmp_path, vault=("vaults@2025-05-01", "vaults@2019-09-01"))
    done = subprocess.run(
        [COMPILER, "lint", "infra/modules/vault.bicep", "--config", str(AGE)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "'2019-09-01' is" in done.stderr
    assert f"no more than {config(AGE)['use-recent-api-versions']['maxAgeInDays']} days" in (
        done.stderr
    )


@pytest.mark.parametrize("path", [ROOT / "infra" / "bicepconfig.json", AGE], ids=lambda p: p.name)
def test_a_rule_has_no_setting_that_the_compiler_would_ignore(path: Path) -> None:
    known = {"level", "maxAgeInDays"}
    assert {name for name, rule in config(path).items() if set(rule) - known} == set()


def test_no_deployment_fails_by_the_calendar() -> None:
    deployed, nightly = config(ROOT / "infra" / "bicepconfig.json"), config(AGE)
    assert {name for name in nightly if deployed[name]["level"] == "error"} == set()
    assert {rule["level"] for rule in nightly.values()} == {"error"}


def absent(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(folder))


def test_a_missing_compiler_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent(monkeypatch, tmp_path)
    monkeypatch.delenv("BICEP_REQUIRED", raising=False)
    assert lint.main(["bicep"]) == 0
    assert capsys.readouterr().out == f"bicep: skipped, {lint.NO_COMPILER}\n"


def test_a_missing_compiler_fails_where_it_is_required(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent(monkeypatch, tmp_path)
    monkeypatch.setenv("BICEP_REQUIRED", "1")
    assert lint.main(["bicep"]) == 1
    assert "BICEP_REQUIRED is set" in capsys.readouterr().out


def test_an_unknown_check_is_refused() -> None:
    assert lint.main(["biceps"]) == 2


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@needs_bash
def test_a_compiler_that_does_nothing_is_not_believed(tmp_path: Path) -> None:
    idle = program(tmp_path / "bicep", "#!/bin/sh\nexit 0\n")
    assert "infra/main.bicep: not compiled to a template" in lint.run_bicep(str(idle), ROOT)


@needs_bash
def test_a_warning_is_a_finding_though_the_compiler_exits_with_0(tmp_path: Path) -> None:
    warns = program(tmp_path / "bicep", "#!/bin/sh\necho 'x.bicep(1,1) : Warning BCP037' >&2\n")
    assert lint.run_bicep(str(warns), ROOT) == "x.bicep(1,1) : Warning BCP037\n"


@needs_bash
def test_a_compiler_that_cannot_be_run_is_a_finding(tmp_path: Path) -> None:
    foreign = program(tmp_path / "bicep", "\x7fELF of another machine")
    assert "cannot be run" in lint.run_bicep(str(foreign), ROOT)


def ci_run(project: Path) -> subprocess.CompletedProcess[str]:
    """Runs .ci/run in a project whose dev.py prints what it is told about the compiler."""
    (project / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", project / ".ci" / "run")
    (project / "dev.py").write_text(
        "import os, shutil, sys\n"
        "print(sys.argv[1], shutil.which('bicep'), os.environ.get('BICEP_REQUIRED'))\n"
    )
    python = program(project.parent / "bin" / "python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    env = {"PATH": f"{python.parent}:/usr/bin:/bin"}
    return subprocess.run(
        ["bash", str(project / ".ci" / "run")], env=env, capture_output=True, text=True, check=False
    )


@needs_bash
def test_ci_requires_a_compiler_that_lies_beside_the_project(tmp_path: Path) -> None:
    compiler = program(tmp_path / "shared/tools/bicep/bicep", "#!/bin/sh\necho version\n")
    done = ci_run(tmp_path / "project")
    assert done.stdout.splitlines() == ["version", f"lint {compiler} 1", f"test {compiler} 1"]


@needs_bash
def test_ci_fails_when_that_compiler_does_not_run(tmp_path: Path) -> None:
    (tmp_path / "shared/tools/bicep").mkdir(parents=True)
    done = ci_run(tmp_path / "project")
    assert done.returncode != 0
    assert "lint" not in done.stdout


@needs_bash
def test_ci_goes_on_without_a_compiler(tmp_path: Path) -> None:
    done = ci_run(tmp_path / "project")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["lint", "test"]
