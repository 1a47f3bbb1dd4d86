"""What pip installs is locked: every package, with its dependencies, by version and hash."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import dev

ROOT = Path(__file__).parent.parent.parent
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Pin:
    """One locked package. A package may be locked twice, for different Python versions."""

    requirement: Requirement
    hashes: frozenset[str]

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        return f"{self.name}{self.requirement.specifier}"


def requirement_lines(path: str) -> list[str]:
    """The lines that pip reads: continued lines joined, comments removed."""
    text = (ROOT / path).read_text(encoding="utf-8").replace("\\\n", " ")
    stripped = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [line for line in stripped if line]


def locked(name: str) -> list[Pin]:
    pins = []
    for line in requirement_lines(f"{name}.txt"):
        requirement, *options = re.split(r"\s+(?=--)", line)
        assert options, f"{name}.txt: {requirement} has no hash"
        assert all(HASH.fullmatch(option) for option in options), line
        pins.append(Pin(Requirement(requirement), frozenset(options)))
    return pins


def chosen(name: str) -> list[Requirement]:
    lines = requirement_lines(f"{name}.in")
    return [Requirement(line) for line in lines if not line.startswith("-")]


@pytest.mark.parametrize("name", dev.LOCKED)
def test_every_package_is_locked_by_version_and_hash(name: str) -> None:
    for pin in locked(name):
        assert re.fullmatch(r"==[\w.]+", str(pin.requirement.specifier)), pin.requirement


@pytest.mark.parametrize("name", dev.LOCKED)
def test_a_lock_names_no_other_package_index(name: str) -> None:
    for suffix in ("in", "txt"):
        text = (ROOT / f"{name}.{suffix}").read_text(encoding="utf-8")
        assert not re.search(r"https?:|-index|--find-links|--trusted-host", text)


@pytest.mark.parametrize("name", dev.LOCKED)
def test_a_lock_agrees_with_its_input(name: str) -> None:
    pins = {(pin.version, bool(pin.requirement.marker)) for pin in locked(name)}
    for wanted in chosen(name):
        version = f"{canonicalize_name(wanted.name)}{wanted.specifier}"
        assert (version, bool(wanted.marker)) in pins, f"{wanted}: run python3 dev.py lock"


@pytest.mark.parametrize("name", dev.LOCKED)
def test_a_lock_has_the_dependencies_of_what_is_installed(name: str) -> None:
    pins = locked(name)
    for pin in pins:
        try:
            dependencies = requires(pin.name) or []
        except PackageNotFoundError:
            continue
        if pin.requirement.marker and not pin.requirement.marker.evaluate():
            continue
        for dependency in map(Requirement, dependencies):
            if dependency.marker is None or dependency.marker.evaluate({"extra": ""}):
                wanted = canonicalize_name(dependency.name)
                assert wanted in {each.name for each in pins}, f"{pin.name} needs {wanted}"


def test_the_laptop_has_what_azure_has() -> None:
    laptop = {pin.version: pin.hashes for pin in locked("requirements-dev")}
    for pin in locked("requirements"):
        assert laptop.get(pin.version) == pin.hashes, f"{pin.version}: run python3 dev.py lock"


def test_a_lock_names_only_locks_that_are_made_before_it() -> None:
    made: set[Path] = set()
    for name in dev.LOCKED:
        for line in requirement_lines(f"{name}.in"):
            if line.startswith("-"):
                assert (ROOT / name).parent.joinpath(line.split()[1]).resolve() in made, line
        made.add((ROOT / f"{name}.txt").resolve())
