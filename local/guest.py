"""Puts the broker into a function app of somebody else's, or a later release of it: its package,
under a name that is free there, and its profiles.

    python -m local.guest FOLDER [--package voice_broker] [--profiles voice-profiles]

It changes nothing else, and says what is left to be done (docs/existing-function-app.md).
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "shared"
IMPORT = re.compile(r"^(\s*(?:from|import) )shared(?=[.\s])", re.MULTILINE)
MARK = '"""The broker.'
"""What the package begins with, by whatever name."""
NAME = re.compile(r"[a-z][a-z0-9_]*")
REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+")
REGISTER = """
    from {package}.api.blueprint import open_blueprint

    app.register_functions(
        open_blueprint(route_prefix="voice", function_prefix="voice_", settings_prefix="VOICE_")
    )
"""


class NotPossible(Exception):
    """The broker cannot be put there. The text says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m local.guest",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="the folder of that app's function_app.py")
    parser.add_argument("--package", default="shared", help="name of the broker's package there")
    parser.add_argument("--profiles", default="profiles", help="folder of the profiles there")
    options = parser.parse_args(arguments)
    try:
        left = move_in(options.folder, options.package, options.profiles)
    except NotPossible as reason:
        sys.stderr.write(f"guest: {reason}\n")
        return 2
    sys.stdout.write("\n".join(left) + "\n")
    return 0


def move_in(folder: Path, package: str, profiles: str) -> list[str]:
    """Copies the broker to `folder`; gives what is left to be done. Raises NotPossible."""
    if not (folder / "host.json").is_file():
        raise NotPossible(f"{folder} has no host.json, so it is no function app.")
    if not NAME.fullmatch(package) or package in sys.stdlib_module_names | {"azure"}:
        raise NotPossible(f"{package!r} cannot be the name of the package.")
    target = folder / package
    beginning = target / "__init__.py"
    if target.exists():
        text = beginning.read_text(encoding="utf-8") if beginning.is_file() else ""
        if not text.startswith(MARK):
            raise NotPossible(f"{target} is not the broker's: choose another name by --package.")
        shutil.rmtree(target)
    for path in files_of_package():
        place = target / path.relative_to(SOURCE)
        place.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":
            text = IMPORT.sub(rf"\g<1>{package}", text)
        place.write_text(text, encoding="utf-8")
    return [
        f"The broker is in {target}.",
        *copy_profiles(folder / profiles),
        *missing_requirements(folder / "requirements.txt"),
        f"Register it in function_app.py:\n{REGISTER.format(package=package)}",
        *([f"Set VOICE_REALTIME_PROFILES={profiles}."] if profiles != "profiles" else []),
    ]


def files_of_package() -> Iterator[Path]:
    """What the package is made of."""
    return (path for path in sorted(SOURCE.rglob("*")) if path.suffix in (".py", ".json"))


def copy_profiles(folder: Path) -> Iterator[str]:
    """Copies the profiles that are not only for laptops; one that is there stays as it is."""
    ignored = (ROOT / ".funcignore").read_text(encoding="utf-8").splitlines()
    folder.mkdir(exist_ok=True)
    for path in sorted((ROOT / "profiles").glob("*.json")):
        place = folder / path.name
        if f"profiles/{path.name}" in ignored:
            continue
        if place.exists() and place.read_bytes() != path.read_bytes():
            yield f"Kept: {place} is there, and is not the broker's sample."
        elif not place.exists():
            shutil.copyfile(path, place)


def missing_requirements(file: Path) -> list[str]:
    """The requirements that the app does not have yet, by their names."""
    present = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = {name_in(line) for line in present}
    wanted = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    lines = [each for each in wanted if name_in(each) and name_in(each) not in names]
    return [f"Add to {file}:\n\n    " + "\n    ".join(lines) + "\n"] if lines else []


def name_in(line: str) -> str:
    """The package that a line of requirements is about; "" for a comment."""
    found = REQUIREMENT.match(line)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
