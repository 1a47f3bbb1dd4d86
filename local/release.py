"""Releases: from the changelog to a version, and what a tag publishes (docs/releasing.md).

    python3 -m local.release check            the versions and the changelog agree
    python3 -m local.release prepare 0.2.0    writes the version everywhere, and heads its changes
    python3 -m local.release tag v0.2.0       the tag is that of what is here; what it publishes

`tag` writes lines for GitHub's `GITHUB_OUTPUT` to standard output and the changes to `--notes`.
Standard library only: the workflow runs it before anything is installed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CHANGELOG: Final = "CHANGELOG.md"
UNRELEASED: Final = "Unreleased"
NUMBER: Final = r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)"
PLACES: Final = {
    "pyproject.toml": r'^version = "(X.Y.Z)"$',
    "azure.yaml": r"^  template: realtime-token-broker@(X.Y.Z)$",
    "shared/api/openapi/document.py": r'^VERSION = "(X.Y.Z)"$',
    "frontend/package.json": r'^  "version": "(X.Y.Z)",$',
    "realtime_client/version.py": r'^__version__ = "(X.Y.Z)"$',
    "docs/embed.md": r"realtime-token-broker-realtime-call-(X.Y.Z)\.tgz",
}
"""Where the version stands, once in each: of the broker, the npm package and the Python client."""
EMULATOR: Final = "realtime_emulator"
EMULATOR_PLACE: Final = (f"{EMULATOR}/contract.py", r'^__version__ = "(X.Y.Z)"$')
"""The emulator has a version of its own: that of the contract it speaks."""
EMULATOR_LINE: Final = "With `realtime-emulator` X.Y.Z."
"""Under the heading of each release."""
IMAGES: Final = {
    "broker": {"file": "container/Dockerfile", "context": "."},
    "emulator": {"file": f"{EMULATOR}/Dockerfile", "context": EMULATOR},
}


class NotReleasable(Exception):
    """What is here cannot be released. The message says what to change."""


@dataclass(frozen=True, slots=True)
class Section:
    """The changes of one release, or those since the last: `version` is empty then."""

    version: str
    day: str
    emulator: str
    changes: str


def pattern(text: str) -> re.Pattern[str]:
    return re.compile(text.replace("X.Y.Z", NUMBER), re.MULTILINE)


def number(version: str) -> tuple[int, ...]:
    """For comparing. Raises NotReleasable."""
    if not re.fullmatch(NUMBER, version):
        raise NotReleasable(f"{version}: expected a version such as 1.2.3.")
    return tuple(map(int, version.split(".")))


def version_in(root: Path, file: str, where: str) -> str:
    """The version that stands in a file, exactly once. Raises NotReleasable."""
    found = pattern(where).findall((root / file).read_text(encoding="utf-8"))
    if len(found) != 1:
        raise NotReleasable(f"{file}: expected one version, found {len(found)}.")
    return str(found[0])


def read_sections(text: str) -> Iterator[Section]:
    """The sections of a changelog, the newest first. Raises NotReleasable."""
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        if title == UNRELEASED:
            yield Section("", "", "", body.strip())
            continue
        heading = re.fullmatch(rf"({NUMBER}) - (\d{{4}}-\d\d-\d\d)", title)
        line, _, changes = body.strip().partition("\n")
        emulator = re.fullmatch(
            re.escape(EMULATOR_LINE).replace(re.escape("X.Y.Z"), f"({NUMBER})"), line.strip()
        )
        if heading is None or emulator is None:
            raise NotReleasable(f"{CHANGELOG}: ## {title}: see docs/releasing.md for its form.")
        yield Section(heading[1], heading[2], emulator[1], changes.strip())


def check(root: Path) -> tuple[str, str, list[Section]]:
    """The version, that of the emulator, and the sections, if all agree. Raises NotReleasable."""
    versions = {file: version_in(root, file, where) for file, where in PLACES.items()}
    if len(set(versions.values())) > 1:
        raise NotReleasable(f"The versions differ: {versions}")
    version, emulator = versions["pyproject.toml"], version_in(root, *EMULATOR_PLACE)
    sections = list(read_sections((root / CHANGELOG).read_text(encoding="utf-8")))
    if not sections or sections[0].version:
        raise NotReleasable(f"{CHANGELOG}: the first section is ## {UNRELEASED}.")
    released = sections[1:]
    if any(not each.version for each in released):
        raise NotReleasable(f"{CHANGELOG}: ## {UNRELEASED} stands there twice.")
    for newer, older in pairwise(released):
        if number(newer.version) <= number(older.version) or newer.day < older.day:
            raise NotReleasable(f"{CHANGELOG}: {newer.version} is not after {older.version}.")
        if number(newer.emulator) < number(older.emulator):
            raise NotReleasable(f"{CHANGELOG}: the emulator of {newer.version} is an older one.")
    if released and released[0].version != version:
        raise NotReleasable(f"{CHANGELOG}: {released[0].version}, but the files say {version}.")
    if released and number(emulator) < number(released[0].emulator):
        raise NotReleasable(f"The emulator {emulator} is older than {released[0].emulator}.")
    return version, emulator, sections


def prepare(root: Path, version: str, day: date) -> None:
    """Writes the version everywhere, and makes its section of what is unreleased. Raises
    NotReleasable, and has written nothing then."""
    before, emulator, (unreleased, *released) = check(root)
    if number(version) < number(before) or (released and version == before):
        raise NotReleasable(f"{version} is not after {before}.")
    if not unreleased.changes:
        raise NotReleasable(f"{CHANGELOG}: nothing under ## {UNRELEASED}.")
    for file, where in PLACES.items():
        text = (root / file).read_text(encoding="utf-8")
        found = pattern(where).search(text)
        assert found is not None
        start, end = found.span(1)
        (root / file).write_text(
            text[:start] + version + text[end:], encoding="utf-8", newline="\n"
        )
    line = EMULATOR_LINE.replace("X.Y.Z", emulator)
    text = (root / CHANGELOG).read_text(encoding="utf-8")
    heading = f"## {UNRELEASED}\n\n## {version} - {day.isoformat()}\n\n{line}\n"
    text = text.replace(f"## {UNRELEASED}\n", heading, 1)
    (root / CHANGELOG).write_text(text, encoding="utf-8", newline="\n")


def read_tag(root: Path, tag: str) -> tuple[dict[str, str], str]:
    """What the tag publishes, and its changes. Raises NotReleasable."""
    version, emulator, (unreleased, *released) = check(root)
    if not released or tag != f"v{version}":
        newest_there = f"the newest release is {version}" if released else "there is no release"
        raise NotReleasable(f"{tag}: in {CHANGELOG} {newest_there}.")
    newest, before = released[0], released[1] if len(released) > 1 else None
    if unreleased.changes:
        raise NotReleasable(
            f"{CHANGELOG}: changes under ## {UNRELEASED}: they belong to {version}."
        )
    if newest.emulator != emulator:
        raise NotReleasable(f"{CHANGELOG}: {version} names the emulator {newest.emulator}.")
    with_emulator = before is None or before.emulator != emulator
    if before and not with_emulator and has_changed(root, f"v{before.version}", EMULATOR):
        raise NotReleasable(f"{EMULATOR}/ has changed since v{before.version}: raise its version.")
    folders = ["realtime_client", *([EMULATOR] if with_emulator else [])]
    versions = {"broker": version, "emulator": emulator}
    images = [
        {"name": name, "version": versions[name], **IMAGES[name]}
        for name in ("broker", *(["emulator"] if with_emulator else []))
    ]
    outputs = {"version": version, "wheels": " ".join(folders), "images": json.dumps(images)}
    return outputs, f"{EMULATOR_LINE.replace('X.Y.Z', emulator)}\n\n{newest.changes}\n"


def has_changed(root: Path, tag: str, folder: str) -> bool:
    """Whether a folder is not as it was at that tag. Raises NotReleasable if there is none."""
    command = ["git", "diff", "--quiet", tag, "HEAD", "--", folder]
    done = subprocess.run(command, cwd=root, capture_output=True, check=False)  # noqa: S603
    if done.returncode not in (0, 1):
        raise NotReleasable(f"There is no {tag} here to compare {folder}/ with: fetch the tags.")
    return done.returncode == 1


def main(arguments: list[str], root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m local.release")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check")
    commands.add_parser("prepare").add_argument("version")
    tagged = commands.add_parser("tag")
    tagged.add_argument("tag")
    tagged.add_argument("--notes", type=Path)
    asked = parser.parse_args(arguments)
    try:
        if asked.command == "prepare":
            prepare(root, asked.version, datetime.now(UTC).date())
        elif asked.command == "tag":
            outputs, changes = read_tag(root, asked.tag)
            if asked.notes:
                asked.notes.write_text(changes, encoding="utf-8")
            sys.stdout.writelines(f"{name}={value}\n" for name, value in outputs.items())
        else:
            check(root)
    except NotReleasable as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
