"""The emulator's page documents everything, and its examples are valid."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from realtime_emulator.__main__ import parse_arguments
from realtime_emulator.call.registry import CallRegistry
from realtime_emulator.call.services import Services
from realtime_emulator.http.request_log import RequestLog
from realtime_emulator.live.live_control import REASONS
from realtime_emulator.live.media_factory import MediaFactory
from realtime_emulator.live.registry import LiveRegistry
from realtime_emulator.script import script
from realtime_emulator.script.live_reply import Delegate, choose_live_reply
from realtime_emulator.script.script import Script

FOLDER = Path(__file__).parents[3] / "realtime_emulator"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_scripts(example: str) -> None:
    Script(json.loads(example))


def test_every_setting_is_explained() -> None:
    for name in (*Script().base, *Script().base["live"], *script.ROUTES, *script.ACTIONS):
        assert f"`{name}`" in PAGE, name


def test_everything_shown_is_explained() -> None:
    calls, sessions = CallRegistry(Services()), LiveRegistry(Services(), MediaFactory())
    for name in {**calls.snapshot(), **sessions.snapshot(), **RequestLog().snapshot()}:
        assert f"`{name}`" in PAGE, name


def test_what_is_said_of_live_is_so() -> None:
    for reason in REASONS:
        assert f"`{reason}`" in PAGE, reason
    task = choose_live_reply(Script(), "please look up the weather for me", Counter()).action
    assert isinstance(task, Delegate)
    assert '"please look up the weather for me"' in PAGE


def test_every_option_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--help"])
    for option in set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}:
        assert f"`{option}" in PAGE, option
