"""`dev.py test` does not stop for want of a browser, and says what it skips; in CI it does."""

from __future__ import annotations

import os

import pytest

from local import dev_commands as dev
from local.installation import Stop
from tests.conftest import require_chromium
from tests.support import chromium


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The installation commands that were run, on a Debian without browsers, as root."""
    run: list[list[str]] = []
    monkeypatch.setattr("shutil.which", {"apt-get": "/usr/bin/apt-get"}.get)
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr(dev, "run_quietly", lambda _, command: run.append(command))
    return run


def test_both_browsers_are_installed_where_they_are_missing(commands: list[list[str]]) -> None:
    dev.install_browsers()
    assert [command[-1] for command in commands] == ["update", "chromium", "firefox-esr"]


def test_the_browsers_of_the_machine_are_kept(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", {"google-chrome": "/x", "firefox": "/y"}.get)
    dev.install_browsers()
    assert commands == []


@pytest.mark.parametrize("fails", ["update", "chromium", "firefox-esr"])
def test_what_apt_does_not_have_is_skipped_aloud(
    fails: str,
    commands: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(_: str, command: list[str]) -> None:
        commands.append(command)
        if command[-1] == fails:
            raise Stop("it failed")

    monkeypatch.setattr(dev, "run_quietly", run)
    dev.install_browsers()
    told = capsys.readouterr().err
    skipped = {"chromium", "firefox-esr"} if fails == "update" else {fails}
    assert {name for name in dev.BROWSERS if name in told} == skipped
    assert len(commands) == (1 if fails == "update" else 3)


def test_without_apt_it_says_what_is_missing(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    dev.install_browsers()
    assert commands == []
    assert "no chromium and no firefox-esr found" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("required", "found", "refused"),
    [("1", None, True), ("1", "/x", False), ("0", None, False), ("", None, False)],
)
def test_ci_refuses_to_run_without_chromium(
    required: str, found: str | None, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHROMIUM_REQUIRED", required)
    monkeypatch.setattr(chromium, "executable", lambda: found)
    if not refused:
        require_chromium()
        return
    with pytest.raises(pytest.UsageError, match="no Chromium"):
        require_chromium()
