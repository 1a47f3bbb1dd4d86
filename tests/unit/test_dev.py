"""dev.py: what is said to somebody whose machine or arguments are not what it takes."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local import dev_commands, virtual_environment
from local.installation import Stop
from tests.support.programs import ROOT

DEV = ROOT / "dev.py"
# What Python 2.7's parser does not know and `ast` can tell: it has no feature_version below 3.
TOO_NEW = (
    *(ast.JoinedStr, ast.AnnAssign, ast.AsyncFunctionDef, ast.Await, ast.NamedExpr, ast.Match),
    *(ast.Starred, ast.Nonlocal, ast.YieldFrom, ast.TryStar),
)


needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX scripts and links")


def old_pythons() -> list[str]:
    names = ["python2.7", *(f"python3.{minor}" for minor in range(11))]
    found = [name for name in map(shutil.which, names) if name and "shims" not in name]
    versions = Path.home() / ".pyenv" / "versions"
    for folder in versions.glob("*.*.*"):
        if tuple(map(int, folder.name.split(".")[:2])) < (3, 11):
            found.append(str(folder / "bin" / "python"))
    return found


def test_an_older_python_can_parse_it_up_to_its_sentence() -> None:
    source = DEV.read_text()
    assert source.isascii(), "Python 2 wants a declaration otherwise"
    tree = ast.parse(source, feature_version=(3, 0))
    for node in ast.walk(tree):
        assert not isinstance(node, TOO_NEW), ast.dump(node)
        if isinstance(node, ast.FunctionDef):
            assert not node.returns
            assert not any(argument.annotation for argument in node.args.args)
    first_local = source.index("from local")
    assert source.index("sys.exit(1)") < first_local


def test_older_pythons_are_told_in_a_sentence() -> None:
    if not old_pythons():
        pytest.skip("there is no older Python")
    for python in old_pythons():
        done = subprocess.run([python, str(DEV), "up"], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (1, ""), python
        assert done.stderr.count("\n") == 1
        assert "dev.py: Python 3.11 or newer is required, and this is Python" in done.stderr


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert dev_commands.run(["tests"]) == 2
    assert capsys.readouterr().err.endswith("no command 'tests'; did you mean 'test'?\n")
    assert dev_commands.run(["--port", "1"]) == 2
    assert capsys.readouterr().err.endswith("no command '--port'.\n")
    assert dev_commands.run([]) == 0


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a project's `.venv` is to be; nothing is installed into it."""
    (tmp_path / "requirements-dev.txt").write_text("")
    place = tmp_path / ".venv"
    monkeypatch.setattr(virtual_environment, "ROOT", tmp_path)
    monkeypatch.setattr(virtual_environment, "VENV", place)
    monkeypatch.setattr(virtual_environment, "PYTHON", place / "bin" / "python")
    monkeypatch.setattr(virtual_environment, "pip_install", lambda: None)
    monkeypatch.setattr(
        virtual_environment, "MAKE_VENV", (*virtual_environment.MAKE_VENV, "--without-pip")
    )
    return place


@needs_posix
def test_a_python_of_another_machine_is_replaced(venv: Path) -> None:
    make_environment(venv, virtual_environment.THIS_PYTHON)
    (venv / "bin" / "python").write_text("\x7fELF of another machine")
    virtual_environment.install_packages()
    assert not (venv / "bin" / "python").read_bytes().endswith(b"machine")


def make_environment(place: Path, version: str, *, pip: bool = True) -> None:
    """What is left of an environment: its Python says it is this one, whatever it was made with."""
    (place / "bin").mkdir(parents=True)
    (place / "pyvenv.cfg").write_text(f"home = /x\nversion = {version}.1\n")
    shim = f"#!/bin/sh\nexit {0 if pip else 1}\n"
    (place / "bin" / "python").write_text(shim)
    (place / "bin" / "python").chmod(0o755)


@needs_posix
def test_a_link_to_nothing_is_told(venv: Path) -> None:
    venv.symlink_to("/nowhere/at/all")
    with pytest.raises(Stop, match=r"\.venv is a link to /nowhere/at/all, and that is not there"):
        virtual_environment.install_packages()


@needs_posix
def test_a_linked_environment_is_not_replaced(venv: Path, tmp_path: Path) -> None:
    make_environment(tmp_path / "shared", "3.2")
    venv.symlink_to(tmp_path / "shared")
    with pytest.raises(Stop, match=r"is a link to .*shared, and it is of Python 3\.2"):
        virtual_environment.install_packages()
    assert (tmp_path / "shared" / "pyvenv.cfg").exists()


@needs_posix
@pytest.mark.parametrize(
    ("version", "pip", "gone", "why"),
    [
        ("3.2", True, False, r"it is of Python 3\.2, and this is Python 3\.\d+"),
        (virtual_environment.THIS_PYTHON, False, False, "pip does not run in it"),
        (virtual_environment.THIS_PYTHON, True, True, "its Python is gone"),
    ],
)
def test_an_environment_that_cannot_be_used_is_replaced_and_that_is_said(
    venv: Path,
    capsys: pytest.CaptureFixture[str],
    version: str,
    pip: bool,
    gone: bool,
    why: str,
) -> None:
    make_environment(venv, version, pip=pip)
    if gone:
        (venv / "bin" / "python").unlink()
        (venv / "bin" / "python").symlink_to("/gone/python")
    virtual_environment.install_packages()
    assert re.search(f"replacing .venv: {why}\n", capsys.readouterr().err)
    assert virtual_environment.is_of_this_python()
    virtual_environment.install_packages()
    assert capsys.readouterr().err == "", "it is up to date now"


def test_what_is_no_environment_is_left_alone(venv: Path) -> None:
    venv.mkdir()
    (venv / "mine").write_text("")
    with pytest.raises(Stop, match="no virtual environment"):
        virtual_environment.install_packages()
    assert (venv / "mine").exists()


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(30, "Full")])
def test_a_folder_that_cannot_be_written_is_named(
    venv: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def refuse(**_: object) -> None:
        raise error

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(Stop) as caught:
        virtual_environment.install_packages()
    assert str(caught.value) == f"cannot write to the folder {venv.parent}: {error.strerror}."


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("ensurepip is not available", "apt-get install python3"),
        ("Error: [Errno 28] No space left on device", "see the output above"),
    ],
)
def test_why_an_environment_was_not_created(
    venv: Path, monkeypatch: pytest.MonkeyPatch, output: str, words: str
) -> None:
    fails = [sys.executable, "-c", f"print({output!r}); raise SystemExit(1)"]
    run = subprocess.run
    monkeypatch.setattr("subprocess.run", lambda command, **options: run(fails, **options))
    with pytest.raises(Stop, match=words):
        virtual_environment.create_environment()


def test_a_file_that_cannot_be_written_is_one_sentence(
    venv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise PermissionError(13, "Permission denied", "/x")

    monkeypatch.setattr(virtual_environment, "pip_install", refuse)
    monkeypatch.setattr(virtual_environment, "create_environment", lambda: None)
    assert dev_commands.run(["host"]) == 1
    assert capsys.readouterr().err.endswith("dev.py: /x: Permission denied.\n")
