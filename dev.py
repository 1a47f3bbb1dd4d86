#!/usr/bin/env python3
"""The one entry for people: up, test, lint, host, emulator, bench.

Needs Python 3.11 or newer and nothing else: it makes `.venv`, installs what is pinned there, says
what it does, and hands over to what lives in local/. The standard library alone.
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
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "msedge")

COMMANDS = {
    "up": "run everything on this machine: a page that holds a voice call [--port N] [--login]",
    "test": "run every test, real Chromium included [pytest arguments]",
    "lint": "check style, types, front end and infrastructure [CHECK ...]",
    "host": "run the function app alone [--port 7071]",
    "emulator": "run the Realtime API emulator alone [--port 8089] [--provider azure|openai]",
    "bench": "measure it beside what one would run instead [--only PARTS] [--rounds 3]",
}


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


class Stop(Exception):
    """Something a person has to do first, in one sentence."""


@contextmanager
def step(words: str) -> Iterator[None]:
    """Says what is being done, and how long it took."""
    say(f"  {words} …")
    began = time.monotonic()
    yield
    say(f"  {words}: done in {time.monotonic() - began:.0f} s")


def quietly(words: str, command: list[str], cwd: Path = ROOT) -> None:
    """Runs a command that installs something; shows what it says only if it fails."""
    with step(words):
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        say(done.stdout[-2000:] + done.stderr[-2000:])
        raise Stop(f"{words} failed; the lines above say why.")


def fingerprint(*files: Path) -> str:
    seen = hashlib.sha256(sys.version.encode())
    for file in files:
        seen.update(file.read_bytes())
    return seen.hexdigest()


def up_to_date(mark: Path, wanted: str) -> bool:
    return mark.is_file() and mark.read_text() == wanted


def install_packages() -> None:
    """Makes `.venv` with what requirements-dev.txt pins, unless it is there already."""
    mark = VENV / ".installed"
    wanted = fingerprint(ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
    if PYTHON.exists() and up_to_date(mark, wanted):
        return
    say("Setting up .venv (once; about a minute)")
    if not PYTHON.exists():
        try:
            with step("making the virtual environment"):
                subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        except subprocess.CalledProcessError:
            raise Stop(
                "This Python cannot make virtual environments; on Debian or Ubuntu: "
                "apt-get install python3-venv"
            ) from None
    pip_install()
    mark.write_text(wanted)


def pip_install() -> None:
    """pip with a count, so that the minute it takes is seen to go by."""
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
        raise Stop("pip could not install requirements-dev.txt; the lines above say why.")


def install_browser() -> None:
    """A Chromium for the browser tests, where Debian's packages are at hand."""
    if any(shutil.which(name) for name in BROWSERS):
        return
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        quietly("updating the package lists", ["apt-get", "update", "-qq"])
        quietly(
            "installing Debian's chromium",
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"],
        )
    else:
        say("  no Chromium, Chrome or Edge found: the browser tests are skipped")


def install_node_packages() -> None:
    """What the tests take from npm: clients to be compatible with, Azurite, the SWA CLI, tsc."""
    npm = shutil.which("npm")
    if npm is None:
        say("  no Node.js found: the tests against npm packages are skipped")
        return
    mark = NODE_PACKAGES / "node_modules" / ".installed"
    wanted = fingerprint(NODE_PACKAGES / "package.json", NODE_PACKAGES / "package-lock.json")
    if up_to_date(mark, wanted):
        return
    # Scripts stay off: the SWA CLI's keytar would be built natively, and nothing here needs it.
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        quietly("installing npm packages for the tests", [npm, "ci", *options], NODE_PACKAGES)
    except Stop:
        say("  without them, the tests that need npm packages are skipped")
        return
    mark.write_text(wanted)


def hand_over(*command: str) -> int:
    """Becomes `command`, so that Ctrl-C and signals go straight to it."""
    # A run started from another project's environment must not mix with this one's.
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
    install_browser()
    install_node_packages()
    # Everything: on two cores, a file's tests together.
    return hand_over("-m", "pytest", *(arguments or ["-n", "2", "--dist", "loadfile"]))


def bench(arguments: list[str]) -> int:
    install_node_packages()
    return hand_over("-m", "bench", *arguments)


def main(arguments: list[str]) -> int:
    name, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if name not in COMMANDS:
        say("python3 dev.py COMMAND\n")
        for command, words in COMMANDS.items():
            say(f"  {command:<9} {words}")
        return 0 if name in ("", "-h", "--help", "help") else 2
    if sys.version_info < OLDEST:
        raise Stop("This needs Python 3.11 or newer: try python3.11 dev.py, or python3.12, …")
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
