"""The client as others install it: its wheel, in an environment without the repository.

Only this file uses that environment: two processes of one run must not fill it at once.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from realtime_client import __version__
from realtime_emulator.caller import Caller
from tests.contract.hostile.running import Stack
from tests.support.emulator_package import ROOT, bare_environment, build_wheel, run
from tests.support.principals import signed_in

FOLDER = ROOT / "realtime_client"
PROJECT: dict[str, Any] = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))
CALL = """
import json, sys
from pathlib import Path

import httpx2
import realtime_client
from realtime_client import Broker

url, headers, offer = json.load(sys.stdin)
with httpx2.Client(trust_env=False) as http, Broker(url, headers=headers, http=http) as broker:
    call = broker.start(offer)
    before = broker.status(call.handle).status
    broker.hang_up(call.handle)
    after = broker.status(call.handle).status
folder = Path(realtime_client.__file__).parent
print(json.dumps([call.answer[:3], before, after, str(folder), (folder / "py.typed").exists()]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"), FOLDER)


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", FOLDER.name],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        text = archive.read(metadata).decode()
    assert files == {name for name in listed if name.endswith((".py", "py.typed"))}
    assert wheel.name == f"realtime_token_broker_client-{__version__}-py3-none-any.whl"
    assert "License-Expression: MIT" in text
    assert (FOLDER / "README.md").read_text(encoding="utf-8") in text
    assert (FOLDER / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_it_asks_for_what_it_is_tested_with() -> None:
    locked = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    (asked,) = map(Requirement, PROJECT["project"]["dependencies"])
    (tested,) = re.findall(rf"^{asked.name}==([\w.]+)", locked, re.M)
    assert tested in asked.specifier
    (backend,) = map(Requirement, PROJECT["build-system"]["requires"])
    (built,) = re.findall(rf"^{backend.name}==([\w.]+)", locked, re.M)
    assert built in backend.specifier


@pytest.mark.asyncio(loop_scope="package")
async def test_a_call_from_where_it_is_installed(wheel: Path, stack: Stack, tmp_path: Path) -> None:
    programs = await asyncio.to_thread(bare_environment, wheel, FOLDER, "client", ())
    async with Caller() as caller:
        given = json.dumps([stack.url, signed_in("bare-user"), await caller.offer()])
        command = (str(programs / "python"), "-I", "-W", "error", "-c", CALL)
        said = await asyncio.to_thread(run, *command, cwd=tmp_path, given=given)
    answer, before, after, folder, is_typed = json.loads(said)
    assert (answer, before, after, is_typed) == ("v=0", "live", "ended", True)
    assert Path(folder).is_relative_to(programs.parent)
