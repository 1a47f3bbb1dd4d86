"""The commands of dev.py: up, test, lint, host, emulator, bench, lock.

Before a command runs, `.venv` is there with the pinned packages. Uses the standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from difflib import get_close_matches

from local.installation import ROOT, Stop, fingerprint_files, run_quietly, say, up_to_date
from local.virtual_environment import PYTHON, install_packages

NODE_PACKAGES = ROOT / "tests" / "npm"
# In this order: each may name the ones before it.
LOCKED = ("requirements", "requirements-dev", "bench/requirements", ".github/requirements")
# The command whose module is not in local/: the emulator is a package of its own.
ELSEWHERE = {"emulator": "realtime_emulator"}
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
    "bench": "benchmark it against the alternatives and the last run [--only PARTS] [--rounds 3]",
    "lock": "pin all packages with hashes in requirements*.txt; needs uv [--upgrade]",
}


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
    # Compiling the tests takes longer than all else before the first of them runs, and what a
    # process has compiled is read by the others and by the programs that tests start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # All tests: in four processes, because many wait; each file's together, in conftest's order.
    everything = ["-n", "4", "--dist", "loadfile", "--no-loadscope-reorder"]
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


def run_command(arguments: list[str]) -> int:
    """Runs a command, and returns its exit code. Raises Stop."""
    name, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
    if name in ("help", "-h", "--help"):
        list_commands()
        return 0
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, 1)
        meant = f"; did you mean {near[0]!r}?" if near else "."
        list_commands()
        say(f"\ndev.py: there is no command {name!r}{meant}")
        return 2
    if name == "lock":
        return lock(rest)
    install_packages()
    if name == "test":
        return test(rest)
    if name == "lint":
        return lint(rest)
    if name == "bench":
        return bench(rest)
    return hand_over("-m", ELSEWHERE.get(name, f"local.{name}"), *rest)


def list_commands() -> None:
    say("python3 dev.py COMMAND\n")
    for command, description in COMMANDS.items():
        say(f"  {command:<9} {description}")


def run(arguments: list[str]) -> int:
    """Runs a command, and returns its exit code; why it cannot run is said in a sentence."""
    try:
        return run_command(arguments)
    except Stop as reason:
        say(f"dev.py: {reason}")
        return 1
    except OSError as error:
        say(f"dev.py: {error.filename or 'a file'}: {error.strerror or error}.")
        return 1
    except KeyboardInterrupt:
        return 130
