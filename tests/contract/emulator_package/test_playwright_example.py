"""The example with Playwright's test runner, as its README says to run it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.support import chromium, node
from tests.support.emulator_package import FOLDER, ROOT
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports

EXAMPLE = FOLDER / "examples" / "playwright"
TESTS = 5


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no links without a privilege")
async def test_its_tests_pass(tmp_path: Path) -> None:
    try:
        runner = node.package_file("@playwright/test", "cli.js")
        program = node.node()
    except node.NotHere as missing:
        pytest.skip(str(missing))
    browser = chromium.executable()
    if browser is None:
        pytest.skip("there is no Chromium, Chrome or Edge")
    project = tmp_path / "project"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("node_modules"))
    (project / "node_modules").symlink_to(node.PACKAGES, target_is_directory=True)
    emulator, page = map(str, free_ports(2))
    process = await asyncio.create_subprocess_exec(
        program,
        str(runner),
        "test",
        cwd=project,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "REALTIME_EMULATOR": f'"{sys.executable}" -m realtime_emulator',
            "EMULATOR_PORT": emulator,
            "PAGE_PORT": page,
            "CHROMIUM_PATH": str(browser),
            "CI": "1",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 2 * PATIENCE)
    assert process.returncode == 0, output.decode()
    assert f"{TESTS} passed" in output.decode()


def test_it_asks_for_the_runner_that_the_suite_has() -> None:
    asked = json.loads((EXAMPLE / "package.json").read_text(encoding="utf-8"))
    had = json.loads((ROOT / "tests/npm/package.json").read_text(encoding="utf-8"))
    name = "@playwright/test"
    assert asked["devDependencies"][name] == had["devDependencies"][name]
