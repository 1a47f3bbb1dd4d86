"""What holds for all tests: their output is read for secrets, and speed is no verdict."""

from __future__ import annotations

import gc
import importlib
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.secrets_reader import found_in

# Examples are judged by what happens, not by how fast: a busy machine is no failure.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")

# What is imported and collected stays until the end. Looking for garbage in it, again and again,
# takes a third of the time of collecting, and then slows each test.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


ROOT = Path(__file__).parents[1]
NPM = ROOT / "tests" / "npm"
PRINTED = pytest.StashKey[list[tuple[str, str]]]()


WAITING = ("contract/record/", "contract/live_media/", "contract/observer/")
"""Folders whose tests mostly wait, for a lease or for speech."""
BUSY = ("browser/", "unit/test_linear.py", "infra/", "contract/broker/", "contract/")
"""Those whose tests need the processor, the longest first, and one file that takes as long."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Has tests that wait run beside tests that are busy, and leaves the quick ones for the end:
    where tests run in several processes, no processor is idle then."""

    def group(path: Path) -> tuple[int, int]:
        inside = path.as_posix().partition("/tests/")[2]
        folders = (*WAITING, *BUSY)
        rank = next((n for n, each in enumerate(folders) if inside.startswith(each)), len(folders))
        return (rank >= len(WAITING)) + (rank == len(folders)), rank

    files = sorted(dict.fromkeys(item.path for item in items), key=group)
    places: dict[Path, float] = {}
    # What waits is begun in the first half, so that the last of it does not outlast the rest.
    for number, (begin, length) in enumerate(((0, 0.5), (0, 1), (1, 1))):
        alike = [path for path in files if group(path)[0] == number]
        places |= {path: begin + length * n / len(alike) for n, path in enumerate(alike)}
    items.sort(key=lambda item: places[item.path])


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Where tests run in several processes, has each import other modules first.

    All of them import every module, and would compile each at the same time; so most are read
    that another process has compiled. A module that cannot be imported is reported afterwards,
    when it is collected.
    """
    worker: dict[str, Any] | None = getattr(session.config, "workerinput", None)
    if worker is None:
        return
    if session.config.args != session.config.getini("testpaths"):
        return
    folders = [path for path in (ROOT / "tests").iterdir() if path.is_dir() and path != NPM]
    modules = sorted(path for folder in folders for path in folder.rglob("test_*.py"))
    for path in modules[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def require_chromium() -> None:
    """Refuses to run where CHROMIUM_REQUIRED=1, as in CI, and there is none: a run in which every
    test of the page is skipped would pass."""
    if os.environ.get("CHROMIUM_REQUIRED", "") in ("", "0"):
        return
    # Imports playwright, which a run without browsers does not need.
    from tests.support import chromium

    if chromium.executable() is None:
        raise pytest.UsageError("CHROMIUM_REQUIRED is set, and no Chromium, Chrome or Edge is here")


def pytest_configure(config: pytest.Config) -> None:
    require_chromium()
    config.stash[PRINTED] = []
    config.pluginmanager.register(Reader(config.stash[PRINTED]), "reads-what-was-printed")


@pytest.fixture(autouse=True)
def root_log() -> Iterator[None]:
    """Takes away what a program run in a test has set up to log with: it would write to that test's
    stderr when that is closed."""
    root = logging.getLogger()
    level, before = root.level, [*root.handlers]
    yield
    for handler in [*root.handlers]:
        if type(handler) is logging.StreamHandler and handler not in before:
            root.removeHandler(handler)
    root.setLevel(level)


class Reader:
    """Keeps what each test and its programs printed; searches it for secrets at the end.

    Where tests run in several processes, this runs in the one that gets all their reports.
    """

    def __init__(self, printed: list[tuple[str, str]]) -> None:
        self.printed = printed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.printed += [(report.nodeid, text) for _, text in report.sections]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workerinput"):
            return
        found = found_in(self.printed)
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(
                f"read what {len({test for test, _ in self.printed})} tests printed and logged: "
                + ("; ".join(found) if found else "nothing secret in it")
            )
        if found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
