"""Checks style, types, front end and infrastructure: `python3 dev.py lint [CHECK ...]`.

Each check is an established tool. Tools that are not installed are reported and skipped, and every
check runs even if an earlier one fails. With BICEP_REQUIRED=1, a missing Bicep compiler is a
failure, so that CI cannot pass without it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
NODE = ROOT / "tests" / "npm" / "node_modules"
BICEP_FILES = "infra/**/*.bicep"
NO_COMPILER = "needs the Bicep compiler on PATH, or from `az bicep install`"


@dataclass(frozen=True, slots=True)
class Check:
    """A tool: `run` returns what it found, `missing` is why it is skipped, if it is."""

    name: str
    run: Callable[[], str]
    missing: str | None = None


def run_tool(*command: str) -> str:
    """Runs a tool and returns its output if it fails, otherwise nothing."""
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return ""
    return done.stdout + done.stderr or f"exit status {done.returncode}\n"


def find_bicep() -> str | None:
    """The compiler on PATH, or the one that the Azure CLI has installed."""
    azure = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")
    return shutil.which("bicep") or shutil.which("bicep", path=str(azure / "bin"))


def run_bicep(bicep: str, root: Path) -> str:
    """Compiles, lints and checks the format of infra/. Every line printed counts, warnings too.

    `build` prints what `lint` would, so each file is compiled once. `--pattern` compiles all in
    one process, which takes three seconds; a process per file takes fifteen.
    """
    sources = {path.relative_to(root / "infra") for path in (root / "infra").rglob("*.bicep")}
    with TemporaryDirectory() as scratch:
        built = Path(scratch, "built")
        try:
            lines = [
                *bicep_lines(bicep, root, "build", "--outdir", str(built)),
                *unformatted(bicep, root, sources, Path(scratch, "formatted")),
            ]
        except OSError as error:
            return f"{bicep} cannot be run: {error}\n"
        if not lines:
            # No output proves nothing unless the compiler has produced a template for each file.
            made = {path.relative_to(built) for path in built.rglob("*.json")}
            missing = sorted(path for path in sources if path.with_suffix(".json") not in made)
            lines = [f"infra/{path.as_posix()}: not compiled to a template" for path in missing]
    if not sources:
        lines.append("infra/ has no Bicep files")
    return "".join(f"{line}\n" for line in dict.fromkeys(lines))


def bicep_lines(bicep: str, root: Path, command: str, *options: str) -> list[str]:
    """What a compiler command prints about all files, plus its exit status unless that is 0."""
    done = subprocess.run(  # noqa: S603
        (bicep, command, "--pattern", BICEP_FILES, *options),
        cwd=root,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    lines = (done.stdout + done.stderr).splitlines()
    return [*lines, f"bicep {command}: exit status {done.returncode}"] if done.returncode else lines


def unformatted(bicep: str, root: Path, sources: set[Path], scratch: Path) -> list[str]:
    """The files that `bicep format` would change. It formats in place, so it runs on a copy."""
    infra = scratch / "infra"
    for path in [*sources, Path("bicepconfig.json")]:
        (infra / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / "infra" / path, infra / path)
    lines = bicep_lines(bicep, scratch, "format")
    for path in sorted(sources):
        before = (root / "infra" / path).read_text(encoding="utf-8")
        if (infra / path).read_text(encoding="utf-8") != before:
            name = f"infra/{path.as_posix()}"
            lines.append(f"{name}: `bicep format {name}` would change it")
    return lines


def bicep_check() -> Check:
    bicep = find_bicep()
    if bicep:
        return Check("bicep", partial(run_bicep, bicep, ROOT))
    if os.environ.get("BICEP_REQUIRED", "") not in ("", "0"):
        return Check("bicep", lambda: f"BICEP_REQUIRED is set, and lint {NO_COMPILER}\n")
    return Check("bicep", str, NO_COMPILER)


def checks() -> list[Check]:
    """All checks, including those that cannot run here."""
    python = sys.executable
    tsc = NODE / "typescript" / "bin" / "tsc"
    node = shutil.which("node")
    no_tsc = None if node and tsc.is_file() else "needs Node.js and the npm packages of tests/npm"
    front_end = partial(run_tool, node or "node", str(tsc), "-p", "frontend/jsconfig.json")
    return [
        Check("style", partial(run_tool, python, "-m", "ruff", "check", ".")),
        Check("format", partial(run_tool, python, "-m", "ruff", "format", "--check", ".")),
        Check("types", partial(run_tool, python, "-m", "mypy")),
        Check("front end", front_end, no_tsc),
        bicep_check(),
    ]


def main(names: list[str]) -> int:
    """Runs the named checks, or all. Returns 0 if they are clean, 2 for an unknown name, else 1."""
    found = checks()
    unknown = set(names) - {check.name for check in found}
    if unknown:
        sys.stdout.write(f"unknown check: {', '.join(sorted(unknown))}\n")
        return 2
    failed = 0
    for check in found:
        if names and check.name not in names:
            continue
        if check.missing:
            sys.stdout.write(f"{check.name}: skipped, {check.missing}\n")
            continue
        output = check.run()
        sys.stdout.write(f"{check.name}: {'failed' if output else 'clean'}\n{output}")
        sys.stdout.flush()
        failed += bool(output)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
