"""pytest: `realtime_emulator`, an emulator for each test, and scripts by marker or by fixture.

    @pytest.mark.realtime(script={"greeting": "Hi."}, provider="openai")
    def test_my_page(realtime_emulator, page):
        page.goto(my_server(realtime_emulator.base_url))
        call = realtime_emulator.wait_for_call()
        call.wait_for("response.done")
        assert call.said == ["Hi."]

One process for each provider serves all tests of a run; each test finds it without calls and with
the script that it asks for. What passed in its calls is shown with a failure.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from realtime_emulator.process import EmulatorProcess
from realtime_emulator.protocol.ids import Provider
from realtime_emulator.testing import Call, Emulator

SHOWN_EVENTS: Final = 40
MARKER: Final = (
    "realtime(script=None, provider=None): the script, a dict or the path of a JSON file, and the "
    "provider (azure or openai) of this test's `realtime_emulator`"
)
USED: Final = pytest.StashKey[EmulatorProcess]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "realtime_provider",
        "the provider of tests that name none: azure or openai",
        default="azure",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


class EmulatorPool:
    """The emulators of a test run: a process for each provider, started when first needed."""

    def __init__(self) -> None:
        self.started: dict[Provider, EmulatorProcess] = {}

    def get(self, provider: Provider) -> EmulatorProcess:
        """The running one; another if that has died."""
        running = self.started.get(provider)
        if running is None or not running.is_running:
            if running is not None:
                running.stop()
            self.started[provider] = EmulatorProcess.start(provider)
        return self.started[provider]

    def stop(self) -> None:
        for running in self.started.values():
            running.stop()


@pytest.fixture(scope="session")
def realtime_emulators() -> Iterator[EmulatorPool]:
    """The processes. For fixtures of your own with a wider scope than a test."""
    pool = EmulatorPool()
    yield pool
    pool.stop()


@pytest.fixture
def realtime_script() -> dict[str, Any]:
    """The script of all tests of a module or a folder: override it there."""
    return {}


@pytest.fixture
def realtime_provider(request: pytest.FixtureRequest) -> str:
    """The provider: of the marker, or of the ini option."""
    marker = request.node.get_closest_marker("realtime")
    named = marker.kwargs.get("provider") if marker else None
    return str(named or request.config.getini("realtime_provider"))


@pytest.fixture
def realtime_emulator(
    request: pytest.FixtureRequest,
    realtime_emulators: EmulatorPool,
    realtime_script: dict[str, Any],
    realtime_provider: Provider,
) -> Iterator[Emulator]:
    """An emulator with no calls and with this test's script."""
    if realtime_provider not in ("azure", "openai"):
        raise pytest.UsageError(f"realtime_provider is azure or openai, not {realtime_provider!r}")
    running = realtime_emulators.get(realtime_provider)
    emulator = running.emulator
    emulator.reset()
    for script in (realtime_script, marked_script(request)):
        if script:
            emulator.use_script(script)
    request.node.stash[USED] = running
    yield emulator
    with suppress(OSError):
        emulator.reset()


def marked_script(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The script of the test's marker. A path is relative to the test's file."""
    marker = request.node.get_closest_marker("realtime")
    script = marker.kwargs.get("script") if marker else None
    if isinstance(script, str | Path):
        file = request.path.parent / script
        script = json.loads(file.read_text(encoding="utf-8"))
    return dict(script or {})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds to a failure what passed in the test's calls."""
    report = yield
    running = item.stash.get(USED, None)
    if report.when == "call" and report.failed and running is not None:
        with suppress(OSError):
            for call in [*running.emulator.calls, *running.emulator.sessions]:
                report.sections.append((f"realtime_emulator: {call.id}", describe_call(call)))
        if running.log:
            report.sections.append(("realtime_emulator: log", running.log))
    return report


def describe_call(call: Call) -> str:
    """The last events, a line each."""
    state = call.state
    lines = [f"ended: {state['ended'] or 'not yet'}"]
    for entry in call.recording[-SHOWN_EVENTS:]:
        arrow = "<-" if entry["dir"] == "in" else "->"
        data = json.dumps(entry["data"], ensure_ascii=False)
        lines.append(f"{entry['at']:8.3f} {arrow} {data[:200]}")
    return "\n".join(lines)
