"""Three deployments as they would be made, kept in infra/snapshots/: there a reviewer of a change
to infra/ sees what it changes in Azure.

    python3 -m local.snapshots            compares; exit status 1 and a line for each difference
    python3 -m local.snapshots --write    writes them anew
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.compiler import Compiler
from local.lint import NO_COMPILER, ROOT, find_bicep

FOLDER = ROOT / "infra" / "snapshots"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
REGION = "eastus2"


def expand(compiler: Compiler, asked: Path) -> str:
    """What the parameter file would deploy, as it is kept."""
    made = json.loads(compiler.snapshot(asked, SUBSCRIPTION, REGION))
    # The compiler's order is another each time.
    made["predictedResources"].sort(key=lambda each: each["id"])
    made["outputs"] = dict(sorted(made["outputs"].items()))
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def kept_file(asked: Path) -> Path:
    """Where the deployment of a parameter file is kept. `bicep snapshot` names it so too."""
    return asked.with_suffix(".snapshot.json")


def differences(before: str, after: str) -> Iterator[str]:
    """What has changed: a line for each resource that came or went, and for each other value."""
    old, new = (
        {each["id"]: each for each in json.loads(text)["predictedResources"]}
        for text in (before, after)
    )
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            yield f"- {name}"
        elif name not in old:
            yield f"+ {name}"
        else:
            yield from (f"~ {name} {words}" for words in changes(old[name], new[name]))
    outputs = (json.loads(text)["outputs"] for text in (before, after))
    yield from (f"~ output {words}" for words in changes(*outputs))


def changes(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The values that differ, by their paths."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            inner = f"{path}.{name}" if path else name
            yield from changes(old.get(name), new.get(name), inner)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from changes(one, other, f"{path}[{number}]")
    elif old != new:
        yield f"{path}: {shortened(old)} -> {shortened(new)}"


def shortened(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}… ({len(text)} characters)"


def compare(compiler: Compiler, folder: Path = FOLDER) -> list[str]:
    """What is kept and would not be deployed so."""
    found = []
    for asked in sorted(folder.glob("*.bicepparam")):
        kept = kept_file(asked)
        if not kept.is_file():
            found.append(f"{kept.name}: missing")
            continue
        before, after = kept.read_text(encoding="utf-8"), expand(compiler, asked)
        lines = [f"{asked.stem}: {line}" for line in differences(before, after)]
        # What no value shows, such as the order of names.
        found += lines or ([f"{asked.stem}: written otherwise"] if before != after else [])
    return found or ([] if any(folder.glob("*.bicepparam")) else [f"{folder} has no deployments"])


def write(compiler: Compiler, folder: Path = FOLDER) -> list[str]:
    """Writes every deployment anew and returns their names."""
    files = sorted(folder.glob("*.bicepparam"))
    for asked in files:
        kept_file(asked).write_text(expand(compiler, asked), encoding="utf-8", newline="\n")
    return [asked.stem for asked in files]


def main(arguments: list[str]) -> int:
    program = find_bicep()
    if program is None:
        sys.stderr.write(f"This {NO_COMPILER}\n")
        return 2
    with Compiler(program) as compiler:
        if arguments == ["--write"]:
            sys.stdout.write(f"written: {', '.join(write(compiler))}\n")
            return 0
        found = compare(compiler)
    if found:
        sys.stdout.write("\n".join(found) + "\n\n")
        sys.stdout.write("If that is meant: python3 -m local.snapshots --write, and commit it.\n")
        return 1
    sys.stdout.write("infra/snapshots: as they would be deployed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
