"""Our indexing compared with Microsoft's, where Python 3.13 or newer is available."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from local.host.indexing import index_functions
from local.host.loading import IndexingError, load_app
from shared.api import lazy_broker
from tests.contract.host.test_guest import STRANGE
from tests.contract.host.test_indexing import APPS, WRONG
from tests.support.programs import ROOT

SCRIPT = Path(__file__).with_name("microsoft_indexing.py")
# Refused by the host process, which is not Python, rather than by the worker's indexing.
BY_THE_HOST = {name for name in WRONG if name.startswith("host_")}


Outcome = str | dict[str, list[dict[str, Any]]]
"""What an app is refused for, or its functions with their bindings."""


def indexed(python: str, folders: list[Path]) -> dict[str, Outcome]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [python, SCRIPT, *map(str, folders)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout.splitlines()[-1])
    return {Path(folder).name: found for folder, found in outcome.items()}


def test_microsofts_indexing_refuses_the_same_apps(runtime_python: str) -> None:
    folders = [path for path in sorted(APPS.iterdir()) if path.is_dir()]
    outcome = indexed(runtime_python, folders)
    theirs = {name for name, found in outcome.items() if isinstance(found, str)}
    ours = set()
    for folder in folders:
        try:
            index_functions(load_app(folder))
        except IndexingError:
            ours.add(folder.name)
    assert ours - BY_THE_HOST == theirs


def test_microsofts_indexing_takes_our_app_and_one_that_has_it_as_a_guest(
    runtime_python: str,
) -> None:
    before = lazy_broker.PROCESS
    for name, theirs in indexed(runtime_python, [ROOT, STRANGE]).items():
        assert isinstance(theirs, dict), theirs
        ours = index_functions(load_app({ROOT.name: ROOT, STRANGE.name: STRANGE}[name]))
        assert {each.name for each in ours} == set(theirs)
        if name == STRANGE.name:
            assert {"health", "voice_health", "end_call", "voice_end_call"} <= set(theirs)
            levels = {each: trigger_of(theirs[each]).get("authLevel") for each in theirs}
            assert levels["health"] == "FUNCTION"
            assert levels["voice_health"] == levels["voice_connect"] == "ANONYMOUS"
            assert trigger_of(theirs["voice_connect"])["route"] == "voice/connect"
    lazy_broker.PROCESS = before


def trigger_of(bindings: list[dict[str, Any]]) -> dict[str, Any]:
    [found] = [each for each in bindings if each["type"].endswith("Trigger")]
    return found
