"""The workflow that publishes: who may do what in it, and that nothing is published unbuilt."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PATH = ROOT / ".github" / "workflows" / "release.yml"
TEXT = PATH.read_text(encoding="utf-8")
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, Any] = WORKFLOW["jobs"]
SIGNING = {"id-token": "write"}
PERMISSIONS: dict[str, dict[str, str]] = {
    "check": {"contents": "read", "actions": "read"},
    "pypi": SIGNING,
    "npm": SIGNING,
    "container": {
        **SIGNING,
        "contents": "read",
        "packages": "write",
        "attestations": "write",
        "artifact-metadata": "write",
    },
    "release": {"contents": "write"},
}
"""Of each job that has others than the workflow."""


def steps(job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = JOBS[job]["steps"]
    return found


def scripts(job: str) -> str:
    return "\n".join(each.get("run", "") for each in steps(job))


def action(job: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in steps(job) if each.get("uses", "").startswith(f"{name}@"))
    return dict(found.get("with", {}))


def needed(job: str) -> set[str]:
    """The jobs before a job, and those before them."""
    before = JOBS[job].get("needs", [])
    direct = {before} if isinstance(before, str) else set(before)
    return direct.union(*map(needed, direct)) if direct else set()


def test_only_a_tag_of_a_version_starts_it() -> None:
    # YAML 1.1 reads the key `on` as true.
    assert WORKFLOW[True] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}}


def test_each_job_may_do_what_it_does_and_no_more() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    found = {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job}
    assert found == PERMISSIONS


def test_what_publishes_runs_nothing_that_was_installed_for_building() -> None:
    for name in ("pypi", "npm", "release"):
        uses = " ".join(each.get("uses", "") for each in steps(name))
        assert "checkout" not in uses
        assert "build" in needed(name)
        assert not re.search(r"pip install|npm ci|uv build|npm pack", scripts(name))
    assert "id-token" not in json.dumps(JOBS["build"])


def test_nothing_happens_before_the_tag_is_looked_at() -> None:
    assert all("check" in needed(name) for name in JOBS if name != "check")
    assert 'local.release tag "$GITHUB_REF_NAME"' in scripts("check")
    assert "--workflow ci.yml --branch main" in scripts("check")
    assert action("check", "actions/checkout")["fetch-depth"] == 0
    assert needed("release") == set(JOBS) - {"release"}


def test_there_is_no_password() -> None:
    assert "secrets." not in TEXT
    assert not set(action("pypi", "pypa/gh-action-pypi-publish")) & {"password", "user"}
    assert "NODE_AUTH_TOKEN" not in TEXT


def test_people_can_hold_up_what_is_published() -> None:
    """An environment may have reviewers; a registry trusts it by its name."""
    found = {name: job["environment"] for name, job in JOBS.items() if "environment" in job}
    assert found == {"pypi": "pypi", "npm": "npm", "container": "ghcr"}
    said = (ROOT / "docs/releasing.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in said for name in found.values())


def test_everything_has_provenance() -> None:
    assert action("pypi", "pypa/gh-action-pypi-publish")["attestations"] is True
    assert "npm publish --provenance" in scripts("npm")
    attested = action("container", "actions/attest")
    assert attested["push-to-registry"] is True
    assert attested["subject-digest"] == "${{ steps.push.outputs.digest }}"
    # npm compares it with the repository that publishes.
    assert "repository.url=git+$GITHUB_SERVER_URL/$GITHUB_REPOSITORY.git" in scripts("build")


def test_what_builds_is_pinned() -> None:
    built = scripts("build")
    assert "--require-hashes --build-constraints requirements-dev.txt" in built
    assert "npm ci --ignore-scripts" in built
    assert "npm install" not in TEXT
    for name in ("build", "npm"):
        # A cache may have been filled by another workflow.
        assert action(name, "actions/setup-node")["package-manager-cache"] is False
    major = int(action("npm", "actions/setup-node")["node-version"].partition(".")[0])
    assert major >= 24, "the npm of older ones has no trusted publishing"


def test_what_is_uploaded_is_what_is_published() -> None:
    uploaded = {
        each["with"]["name"]
        for name in JOBS
        for each in steps(name)
        if "upload-artifact" in each.get("uses", "")
    }
    assert uploaded == {"pypi", "npm", "notes"}
    for name in ("pypi", "npm"):
        assert action(name, "actions/download-artifact") == {"name": name, "path": "dist"}


def test_a_release_is_never_cut_off_by_another() -> None:
    assert WORKFLOW["concurrency"] == {"group": "release", "cancel-in-progress": False}
