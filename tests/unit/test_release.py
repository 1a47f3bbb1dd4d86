"""Versions and the changelog agree, and a release is made of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest

from local import release
from local.release import (
    CHANGELOG,
    EMULATOR,
    EMULATOR_PLACE,
    IMAGES,
    PLACES,
    NotReleasable,
    check,
    main,
    prepare,
    read_tag,
)
from realtime_client import __version__ as client_version
from realtime_emulator.contract import __version__ as emulator_version
from shared.api.openapi.document import VERSION

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2026, 12, 1)
LATER = date(2026, 12, 8)
NEXT = "99.0.0"
WITH = f"With `realtime-emulator` {emulator_version}."
START = "# Changelog\n\n## Unreleased\n\n### Added\n\n- A thing.\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files that have versions, and a changelog without a release, in a repository."""
    for file in (*PLACES, EMULATOR_PLACE[0]):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    (tmp_path / CHANGELOG).write_text(START, encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    return tmp_path


def git(project: Path, *arguments: str) -> None:
    who = ("-c", "user.name=n", "-c", "user.email=n@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=project, check=True, capture_output=True)


def commit(project: Path, tag: str) -> None:
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", tag)
    git(project, "tag", tag)


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def add_change(project: Path, text: str = "- Another.") -> None:
    edit(project / CHANGELOG, "## Unreleased\n", f"## Unreleased\n\n{text}\n")


def raise_emulator(project: Path, version: str) -> None:
    edit(project / EMULATOR_PLACE[0], f'"{emulator_version}"', f'"{version}"')


def test_the_versions_of_the_packages_and_the_changelog_agree() -> None:
    version, emulator, _ = check(ROOT)
    assert version == VERSION == client_version
    assert emulator == emulator_version
    manifest = json.loads((ROOT / "frontend/package.json").read_text(encoding="utf-8"))
    assert manifest["version"] == version
    assert main(["check"]) == 0


def test_no_other_file_of_a_package_has_a_version() -> None:
    for folder in (EMULATOR, "realtime_client"):
        project = (ROOT / folder / "pyproject.toml").read_text(encoding="utf-8")
        assert 'dynamic = ["version"]' in project
    for image in IMAGES.values():
        assert (ROOT / image["file"]).is_file()
        assert (ROOT / image["context"]).is_dir()


def test_a_release_is_prepared_and_tagged(project: Path) -> None:
    prepare(project, VERSION, DAY)
    text = (project / CHANGELOG).read_text(encoding="utf-8")
    assert text == (
        f"# Changelog\n\n## Unreleased\n\n## {VERSION} - 2026-12-01\n\n"
        f"{WITH}\n\n### Added\n\n- A thing.\n"
    )
    outputs, changes = read_tag(project, f"v{VERSION}")
    assert outputs["version"] == VERSION
    assert outputs["wheels"].split() == ["realtime_client", EMULATOR]
    images = {each["name"]: each["version"] for each in json.loads(outputs["images"])}
    assert images == {"broker": VERSION, "emulator": emulator_version}
    assert changes.endswith("### Added\n\n- A thing.\n")


def test_the_next_one_publishes_the_emulator_only_if_its_version_is_another(project: Path) -> None:
    prepare(project, VERSION, DAY)
    commit(project, f"v{VERSION}")
    add_change(project)
    prepare(project, NEXT, LATER)
    assert all(release.version_in(project, file, where) == NEXT for file, where in PLACES.items())
    commit(project, f"v{NEXT}")
    outputs, changes = read_tag(project, f"v{NEXT}")
    assert outputs["wheels"] == "realtime_client"
    assert [each["name"] for each in json.loads(outputs["images"])] == ["broker"]
    assert "- Another." in changes
    assert "- A thing." not in changes
    raise_emulator(project, "99.0.1")
    with pytest.raises(NotReleasable, match="names the emulator"):
        read_tag(project, f"v{NEXT}")
    edit(project / CHANGELOG, WITH, "With `realtime-emulator` 99.0.1.")
    assert read_tag(project, f"v{NEXT}")[0]["wheels"].split() == ["realtime_client", EMULATOR]


def test_an_emulator_that_has_changed_needs_a_version(project: Path) -> None:
    prepare(project, VERSION, DAY)
    commit(project, f"v{VERSION}")
    add_change(project)
    prepare(project, NEXT, LATER)
    (project / EMULATOR / "more.py").write_text("", encoding="utf-8")
    commit(project, f"v{NEXT}")
    with pytest.raises(NotReleasable, match="raise its version"):
        read_tag(project, f"v{NEXT}")
    git(project, "tag", "--delete", f"v{VERSION}")
    with pytest.raises(NotReleasable, match="fetch the tags"):
        read_tag(project, f"v{NEXT}")


@pytest.mark.parametrize("tag", ["v9.9.9", VERSION, f"v{VERSION}-rc1", "", "v"])
def test_another_tag_publishes_nothing(project: Path, tag: str) -> None:
    prepare(project, VERSION, DAY)
    with pytest.raises(NotReleasable, match="newest release"):
        read_tag(project, tag)


def test_a_tag_before_its_section_publishes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tag", f"v{VERSION}"], project) == 1
    said = capsys.readouterr()
    assert "there is no release" in said.err
    assert said.out == ""


def test_what_came_after_the_section_belongs_to_another_version(project: Path) -> None:
    prepare(project, VERSION, DAY)
    add_change(project)
    with pytest.raises(NotReleasable, match="belong to"):
        read_tag(project, f"v{VERSION}")


def test_what_cannot_be_prepared_is_left_as_it_was(project: Path) -> None:
    prepare(project, VERSION, DAY)
    before = (project / CHANGELOG).read_bytes()
    with pytest.raises(NotReleasable, match="nothing under"):
        prepare(project, NEXT, LATER)
    add_change(project)
    for version, why in ((VERSION, "not after"), ("0.0.1", "not after"), ("1.0", "1.2.3")):
        with pytest.raises(NotReleasable, match=why):
            prepare(project, version, LATER)
    assert release.version_in(project, "pyproject.toml", PLACES["pyproject.toml"]) == VERSION
    assert (project / CHANGELOG).read_bytes() != before


@pytest.mark.parametrize("file", [*PLACES])
def test_a_version_that_differs_is_found(project: Path, file: str) -> None:
    path = project / file
    edit(path, VERSION, NEXT)
    with pytest.raises(NotReleasable, match="differ"):
        check(project)
    path.write_text("", encoding="utf-8")
    with pytest.raises(NotReleasable, match="expected one version"):
        check(project)


@pytest.mark.parametrize(
    ("changelog", "why"),
    [
        ("", "first section"),
        (f"## {VERSION} - 2026-12-01\n\n{WITH}\n", "first section"),
        (f"## Unreleased\n\n## {VERSION}\n\n- x\n", "its form"),
        (f"## Unreleased\n\n## {VERSION} - 2026-12-01\n\n- x\n", "its form"),
        ("## Unreleased\n\n## Unreleased\n", "twice"),
        (f"## Unreleased\n\n## {NEXT} - 2026-12-01\n\n{WITH}\n", "files say"),
        (
            f"## Unreleased\n\n## {VERSION} - 2026-12-01\n\n{WITH}\n"
            f"\n## {VERSION} - 2026-11-01\n\n{WITH}\n",
            "not after",
        ),
        (
            f"## Unreleased\n\n## {VERSION} - 2026-12-01\n\n{WITH}\n"
            "\n## 0.0.1 - 2026-11-01\n\nWith `realtime-emulator` 99.0.0.\n",
            "older one",
        ),
        (
            f"## Unreleased\n\n## {VERSION} - 2026-12-01\n\nWith `realtime-emulator` 99.0.0.\n",
            "is older",
        ),
    ],
)
def test_a_changelog_that_disagrees_is_found(project: Path, changelog: str, why: str) -> None:
    (project / CHANGELOG).write_text(changelog, encoding="utf-8")
    with pytest.raises(NotReleasable, match=why):
        check(project)
