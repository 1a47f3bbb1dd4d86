"""What holds for all tests: their output is read for secrets, and speed is no verdict."""

from __future__ import annotations

import gc
import importlib
import os
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


SLOW_FIRST = ("contract/record/", "browser/", "contract/broker/", "contract/", "unit/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the folders whose tests wait longest, so that none of those is left for the end,
    when there is nothing else to do beside it."""

    def rank(item: pytest.Item) -> int:
        path = item.path.as_posix()
        ranks = (place for place, folder in enumerate(SLOW_FIRST) if f"tests/{folder}" in path)
        return next(ranks, len(SLOW_FIRST))

    items.sort(key=rank)


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
