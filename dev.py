#!/usr/bin/env python3
"""The entry point for developers: up, test, lint, host, emulator, bench.

Needs only Python 3.11 or newer: it creates `.venv`, installs the pinned packages and runs the
command. Uses the standard library only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
NODE_PACKAGES = ROOT / "tests" / "npm"
OLDEST = (3, 11)
# In this order: each may name the ones before it.
LOCKED = ("requirements", "requirements-dev", "bench/requirements", ".github/requirements")
# Debian's package of each browser for the tests, and the programs that do instead of it.
BROWSERS = {
    "chromium": (
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "msedge",
    ),
    "firefox-esr": ("firefox-esr", "firefox"),
}

COMMANDS = {
    "up": "run everything on this machine, with a page for voice calls [--port N] [--login]",
    "test": "run all tests, including those in Chromium and Firefox [pytest arguments]",
    "lint": "check style, types, front end and infrastructure [CHECK ...]",
    "host": "run the function app alone [--port 7071]",
    "emulator": "run the Realtime API emulator alone [--port 8089] [--provider azure|openai]",
    "bench": "benchmark it against the alternatives [--only PARTS] [--rounds 3]",
    "lock": "pin all packages with hashes in requirements*.txt; needs uv [--upgrade]",
}


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


class Stop(Exception):
    """The command cannot run. The message says what to do first."""


@contextmanager
def step(message: str) -> Iterator[None]:
    """Prints a progress line, and how long the step took."""
    say(f"  {message} …")
    began = time.monotonic()
    yield
    say(f"  {message}: done in {time.monotonic() - began:.0f} s")


def run_quietly(message: str, command: list[str], cwd: Path = ROOT) -> None:
    """Runs an installation command and shows its output only if it fails. Raises Stop then."""
    with step(message):
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        say(done.stdout[-2000:] + done.stderr[-2000:])
        raise Stop(f"{message} failed; see the output above.")


def fingerprint_files(*files: Path) -> str:
    seen = hashlib.sha256(sys.version.encode())
    for file in files:
        seen.update(file.read_bytes())
    return seen.hexdigest()


def up_to_date(mark: Path, wanted: str) -> bool:
    return mark.is_file() and mark.read_text() == wanted


def install_packages() -> None:
    """Creates `.venv` with the packages of requirements-dev.txt, unless it is up to date."""
    mark = VENV / ".installed"
    wanted = fingerprint_files(ROOT / "requirements-dev.txt")
    if PYTHON.exists() and up_to_date(mark, wanted):
        return
    say("Setting up .venv (once; about a minute)")
    if not PYTHON.exists():
        try:
            with step("creating the virtual environment"):
                subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        except subprocess.CalledProcessError:
            raise Stop(
                "This Python cannot create virtual environments; on Debian or Ubuntu: "
                "apt-get install python3-venv"
            ) from None
    pip_install()
    mark.write_text(wanted)


def pip_install() -> None:
    """Runs pip and prints its progress, because it takes about a minute."""
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command = [*pip, "--progress-bar", "off", "-r", "requirements-dev.txt"]
    lines: list[str] = []
    found = 0
    with (
        step("installing packages"),
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as pip_process,
    ):
        assert pip_process.stdout is not None
        for line in pip_process.stdout:
            lines.append(line)
            if line.startswith("Collecting "):
                found += 1
                if found % 10 == 0:
                    say(f"    {found} packages found")
            elif line.startswith("Installing collected"):
                say(f"    unpacking {found} packages")
    if pip_process.returncode:
        say("".join(lines[-15:]))
        raise Stop("pip could not install requirements-dev.txt; see the output above.")


def install_browsers() -> None:
    """Installs the browsers for the tests that this machine lacks, on Debian as root."""
    missing = [name for name, programs in BROWSERS.items() if not any(map(shutil.which, programs))]
    if not missing:
        return
    if not (shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0):
        say(f"  no {' and no '.join(missing)} found; skipping the tests that need them")
        return
    apt_get = ["apt-get", "-qq"]
    try:
        run_quietly("updating the package lists", [*apt_get, "update"])
    except Stop:
        say(f"  skipping the tests that need {' and '.join(missing)}")
        return
    for name in missing:
        try:
            install = [*apt_get, "install", "-y", "--no-install-recommends", name]
            run_quietly(f"installing Debian's {name}", install)
        except Stop:
            say(f"  skipping the tests that need {name}")


def install_node_packages() -> None:
    """Installs the tests' npm packages: clients to be compatible with, Azurite, SWA CLI, tsc."""
    npm = shutil.which("npm")
    if npm is None:
        say("  no Node.js found; skipping the tests that need npm packages")
        return
    mark = NODE_PACKAGES / "node_modules" / ".installed"
    wanted = fingerprint_files(NODE_PACKAGES / "package.json", NODE_PACKAGES / "package-lock.json")
    if up_to_date(mark, wanted):
        return
    # No scripts: the SWA CLI's keytar would run a native build, and nothing here needs it.
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        run_quietly("installing npm packages for the tests", [npm, "ci", *options], NODE_PACKAGES)
    except Stop:
        say("  skipping the tests that need npm packages")
        return
    mark.write_text(wanted)


def hand_over(*command: str) -> int:
    """Replaces this process with `command`, so that it receives Ctrl-C and signals directly."""
    # Started from another project's environment, it must not use that project's packages.
    os.environ.pop("PYTHONPATH", None)
    os.environ.pop("PYTHONHOME", None)
    os.chdir(ROOT)
    if os.name != "nt":
        os.execv(PYTHON, [str(PYTHON), *command])
    try:
        return subprocess.run([str(PYTHON), *command], check=False).returncode
    except KeyboardInterrupt:
        return 130


def lint(arguments: list[str]) -> int:
    install_node_packages()
    return hand_over("-m", "local.lint", *arguments)


def test(arguments: list[str]) -> int:
    install_browsers()
    install_node_packages()
    # All tests: in three processes, because many wait; each file's together, in conftest's order.
    everything = ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
    return hand_over("-m", "pytest", *(arguments or everything))


def bench(arguments: list[str]) -> int:
    install_node_packages()
    return hand_over("-m", "bench", *arguments)


def lock(arguments: list[str]) -> int:
    """Compiles each requirements.in to the requirements.txt that pip installs, for every platform.

    What is locked already keeps its version, unless `--upgrade` is among the arguments.
    """
    uv = shutil.which("uv")
    if uv is None:
        raise Stop("uv is required: install the version in .github/requirements.in with pip")
    options = ["--universal", "--python-version", "3.11", "--generate-hashes"]
    for name in LOCKED:
        files = [f"--output-file={name}.txt", f"{name}.in"]
        run_quietly(f"locking {name}.in", [uv, "pip", "compile", *options, *arguments, *files])
    return 0


def main(arguments: list[str]) -> int:
    name, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if name not in COMMANDS:
        say("python3 dev.py COMMAND\n")
        for command, description in COMMANDS.items():
            say(f"  {command:<9} {description}")
        return 0 if name in ("", "-h", "--help", "help") else 2
    if sys.version_info < OLDEST:
        raise Stop("Python 3.11 or newer is required; try python3.11 dev.py or python3.12 dev.py.")
    if name == "lock":
        return lock(rest)
    install_packages()
    if name == "test":
        return test(rest)
    if name == "lint":
        return lint(rest)
    if name == "bench":
        return bench(rest)
    return hand_over("-m", f"local.{name}", *rest)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Stop as reason:
        say(f"dev.py: {reason}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
