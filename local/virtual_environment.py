"""`.venv`: made by the Python that runs dev.py, with the packages of requirements-dev.txt."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from local.installation import ROOT, Stop, fingerprint_files, say, step, up_to_date

VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
MAKE_VENV = ("-m", "venv", "--clear")
THIS_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


def install_packages() -> None:
    """Creates `.venv` with the packages of requirements-dev.txt, unless it is up to date. Raises
    Stop."""
    mark = VENV / ".installed"
    wanted = fingerprint_files(ROOT / "requirements-dev.txt")
    if is_of_this_python() and up_to_date(mark, wanted):
        return
    say("Setting up .venv (once; about a minute)")
    if not (is_of_this_python() and runs_pip()):
        create_environment()
    pip_install()
    mark.write_text(wanted)


def is_of_this_python() -> bool:
    """Whether `.venv` has a Python of this version that is still there."""
    return PYTHON.exists() and environment_version() == THIS_PYTHON


def environment_version() -> str:
    """The major and minor version that `.venv` was made with; empty if it does not say."""
    try:
        lines = (VENV / "pyvenv.cfg").read_text().splitlines()
    except OSError:
        return ""
    settings = {name.strip(): value.strip() for name, _, value in (x.partition("=") for x in lines)}
    version = settings.get("version") or settings.get("version_info", "")
    return ".".join(version.split(".")[:2])


def runs_pip() -> bool:
    """Whether pip runs in `.venv`: a creation that failed half-way leaves a Python without it, and
    one of another machine does not run at all."""
    asked = [str(PYTHON), "-m", "pip", "--version"]
    try:
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def create_environment() -> None:
    """Creates `.venv`, in place of one that cannot be used. Raises Stop."""
    check_place(VENV)
    if VENV.exists():
        say(f"  replacing .venv: {describe_environment()}")
    command = [sys.executable, *MAKE_VENV, str(VENV)]
    with step("creating the virtual environment"):
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    if not done.returncode:
        return
    say(done.stdout[-2000:])
    if "ensurepip" in done.stdout:
        raise Stop(
            "This Python cannot create virtual environments; on Debian or Ubuntu: "
            f"apt-get install python{THIS_PYTHON}-venv (or python3-venv)."
        )
    raise Stop("The virtual environment could not be created; see the output above.")


def describe_environment() -> str:
    """Why the present `.venv` is of no use."""
    if not PYTHON.exists():
        return "its Python is gone"
    other = environment_version()
    if other == THIS_PYTHON:
        return "pip does not run in it"
    return f"it is of Python {other or '?'}, and this is Python {THIS_PYTHON}"


def check_place(place: Path) -> None:
    """Raises Stop if a folder cannot be made at `place`, or what is there may not be replaced."""
    if place.is_symlink():
        target = place.readlink()
        why = describe_environment() if place.exists() else "that is not there"
        raise Stop(f"{place.name} is a link to {target}, and {why}. Remove the link: rm {place}")
    if place.is_dir():
        foreign = any(place.iterdir()) and not (place / "pyvenv.cfg").exists()
    else:
        foreign = place.exists()
    if foreign:
        raise Stop(f"{place} is no virtual environment. Move it away.")
    try:
        with tempfile.TemporaryFile(dir=place.parent):
            pass
    except OSError as error:
        raise Stop(f"cannot write to the folder {place.parent}: {error.strerror}.") from None


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
