"""The package deployed to Azure contains exactly the app."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pathspec
import pytest

ROOT = Path(__file__).parent.parent.parent
APP = ("function_app.py", "host.json", "requirements.txt")
FOLDERS = ("shared/", "profiles/")
# Environments that are named after their folder, and what `pip install .` leaves in it.
LEFT_BY_AZD = (
    "realtime-token-broker_env/pyvenv.cfg",
    "infra/hooks/hooks_env/bin/python",
    "realtime_token_broker.egg-info/PKG-INFO",
    "build/lib/x.py",
)

# docs/adr/0004-the-emulators-voice-and-ears.md says what they bundle.
LAPTOP_ONLY = {
    "aioice",
    "aiortc",
    "av",
    "espeakng-loader",
    "pocketsphinx",
    "pylibsrtp",
    "webrtcvad-wheels",
}
PERMISSIVE = re.compile(r"\bMIT\b|\bBSD\b|Apache|PSF-2")


def packaged(files: list[str]) -> set[str]:
    lines = (ROOT / ".funcignore").read_text(encoding="utf-8").splitlines()
    ignored = pathspec.GitIgnoreSpec.from_lines(lines)
    return {file for file in files if not ignored.match_file(file)}


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return listed.stdout.splitlines()


def test_the_package_is_exactly_the_app() -> None:
    files = packaged(tracked())
    assert files >= set(APP)
    strangers = {file for file in files if file not in APP and not file.startswith(FOLDERS)}
    assert strangers == set()
    assert {file.partition("/")[0] + "/" for file in files if "/" in file} == set(FOLDERS)


def test_a_sample_profile_that_shows_its_instructions_stays_on_the_laptop() -> None:
    files = packaged(tracked())
    assert not {"profiles/agents-sdk.json", "profiles/dictation.json"} & set(files)
    assert {"profiles/default.json", "profiles/profile.schema.json"} <= files
    for file in files:
        if file.startswith("profiles/") and file != "profiles/profile.schema.json":
            content = json.loads((ROOT / file).read_text(encoding="utf-8"))
            assert content.get("webrtc_filter", "on") == "on", file
            assert not content.get("session_from_page"), file


def test_what_lies_about_on_a_developers_machine_is_left_out() -> None:
    clutter = [
        ".git/config",
        ".venv/bin/python",
        ".venv/lib/python3.12/site-packages/requests/api.py",
        "local.settings.json",
        ".env.local",
        ".azure/env/.env",
        ".cache/node/azurite/package.json",
        "shared/__pycache__/http.cpython-312.pyc",
        "tests/npm/node_modules/x/index.js",
        "__azurite_db_queue__.json",
        "frontend/index.html",
        "infra/main.bicep",
        "requirements.in",
        "requirements-dev.txt",
        ".ps-rule/suppressions.Rule.yaml",
        *LEFT_BY_AZD,
    ]
    assert packaged(clutter) == set()


def test_what_azd_leaves_is_not_committed() -> None:
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", *LEFT_BY_AZD],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == [*LEFT_BY_AZD]


def test_azd_restore_installs_what_runs_in_azure(tmp_path: Path) -> None:
    """`pip install .` in the project's folder: several packages at the top level stop setuptools,
    unless it is told that none is to be installed."""
    pytest.importorskip("setuptools", reason="comes with Python's venv up to 3.11 only")
    for name in ("pyproject.toml", "requirements.in"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("bench", "local", "shared", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "-c", "import setuptools; setuptools.setup()", "egg_info"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "realtime_token_broker.egg-info"
    assert (folder / "top_level.txt").read_text(encoding="utf-8").split() == []
    required = (folder / "requires.txt").read_text(encoding="utf-8")
    lines = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line and not line.startswith("#"):
            assert line.partition(";")[0] in required


def test_requirements_are_what_the_app_imports() -> None:
    lines = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    pins = {line.partition("==")[0] for line in lines if line and not line.startswith("#")}
    owners = packages_distributions()
    imported: set[str] = set()
    for file in [ROOT / "function_app.py", *(ROOT / "shared").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            imported.update(names)
    outside = {
        name
        for name in imported
        if name.partition(".")[0] not in sys.stdlib_module_names | {"shared", "function_app"}
    }
    missing = {name for name in outside if not provided(name, pins, owners)}
    assert missing == set()
    unused = {pin for pin in pins if not any(provided(name, {pin}, owners) for name in outside)}
    assert unused == set()


def provided(module: str, pins: set[str], owners: Mapping[str, list[str]]) -> bool:
    """Whether a pinned package provides `module`. Packages of azure.* are named after the path."""
    if module.startswith("azure."):
        path = module.replace(".", "-")
        # azure-core comes with every Azure package; it is imported for its exceptions.
        return (module.startswith("azure.core") and "azure-identity" in pins) or any(
            path.startswith(pin) or pin.startswith(path) for pin in pins if pin.startswith("azure")
        )
    return any(owner in pins for owner in owners.get(module.partition(".")[0], []))


def shipped() -> set[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {line.partition("==")[0] for line in lines if re.match(r"[\w.-]+==", line)}


def licence(name: str) -> str:
    """What an installed package states as its licence. Raises PackageNotFoundError."""
    metadata = distribution(name).metadata
    expression = metadata.get_all("License-Expression") or []
    classifiers = [
        each for each in metadata.get_all("Classifier") or [] if each.startswith("License ::")
    ]
    return " ".join(expression or classifiers or metadata.get_all("License") or [])


def test_nothing_of_the_emulators_voice_and_ears_is_shipped() -> None:
    assert {"cryptography", "requests"} <= shipped()
    assert shipped() & LAPTOP_ONLY == set()
    laptop = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    for name in LAPTOP_ONLY:
        assert f"\n{name}==" in laptop, f"{name} is no longer installed: update ADR 4 and this test"


def test_what_is_shipped_has_a_permissive_licence() -> None:
    others = {}
    for name in shipped():
        try:
            stated = licence(name)
        except PackageNotFoundError:
            continue
        if not PERMISSIVE.search(stated) or re.search(r"GPL|General Public", stated):
            others[name] = stated
    # A list of certificates.
    assert others == {"certifi": "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)"}


def test_what_is_shipped_bundles_no_shared_libraries() -> None:
    for name in shipped():
        try:
            files = distribution(name).files or []
        except PackageNotFoundError:
            continue
        assert not [str(file) for file in files if re.search(r"\.(libs|dylibs)\b", str(file))], name


def test_nothing_of_the_laptop_is_imported_by_the_app() -> None:
    for file in [ROOT / "function_app.py", *(ROOT / "shared").rglob("*.py")]:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(?:from|import) (?:local|tests|bench)\b", text, re.M), file
