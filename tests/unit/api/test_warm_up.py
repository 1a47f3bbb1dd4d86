"""What the first request needs is loaded once the app has been indexed, and not before; nothing is
sent and no secret is read for it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest

from shared.api import lazy_broker, warm_up
from shared.api.lazy_broker import LazyBroker
from shared.core.problems import Problem
from tests.support.scripted_endpoint import upstream

ROOT = Path(__file__).resolve().parents[3]
INDEXED = """
import sys, threading
import function_app
assert not [each for each in threading.enumerate() if each.name == "warm-up"]
function_app.app.get_functions()
while threads := [each for each in threading.enumerate() if each.name == "warm-up"]:
    threads[0].join()
from shared.api import lazy_broker
assert lazy_broker.PROCESS.opened is not None
print(*sys.modules, sep="\\n")
"""
NEEDED = {
    *("requests", "azure.identity", "azure.data.tables", "azure.storage.queue"),
    "cryptography.hazmat.primitives.ciphers.aead",
}
NEEDED_BY_FEW = {
    *("shared.observer.worker", "shared.sideband.events", "shared.transcripts.transcript"),
    *("websockets", "azure.storage.blob", "azure.keyvault.secrets"),
}
"""Calls that are observed or continued, transcripts, secrets of a vault."""


def test_indexing_loads_what_calls_need_and_asks_nobody_for_anything() -> None:
    with upstream() as up:
        settings = {
            "REALTIME_ENDPOINT": up.url,
            "REALTIME_MODEL": "gpt-realtime",
            "CALLER_AUTH": "anonymous",
            "BROKER_SECRET": "a secret of thirty-two bytes or more",
            "IDENTITY_ENDPOINT": f"{up.url}/identity",
            "IDENTITY_HEADER": "header",
            "AzureWebJobsStorage__accountName": "nobodys",
        }
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-c", INDEXED],
            cwd=ROOT,
            env={**kept, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert set(done.stdout.split()) >= NEEDED
        assert not set(done.stdout.split()) & NEEDED_BY_FEW
        assert not up.asked
        assert not up.listener.accepted


def index_an_app() -> None:
    app = warm_up.WarmedApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    app.route(route="health")(health)
    assert [each.get_function_name() for each in app.get_functions()] == ["health"]


async def health(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.method)


@pytest.fixture
def warmed(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What is to be done in the background, instead of doing it."""
    begun: list[Callable[[], None]] = []
    monkeypatch.setattr(warm_up, "in_background", begun.append)
    return begun


def test_wrong_settings_are_found_early_and_told_to_the_first_request(
    warmed: list[Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = LazyBroker({"REALTIME_ENDPOINT": "no address"})
    monkeypatch.setattr(lazy_broker, "PROCESS", process)
    index_an_app()
    warmed[0]()
    assert process.mistakes
    with pytest.raises(Problem, match="misconfigured"):
        lazy_broker.current_broker()


def test_a_broker_is_opened_once_however_early_the_first_request_comes(
    warmed: list[Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    begun, may_end = threading.Event(), threading.Event()

    def open_slowly() -> Any:
        begun.set()
        assert may_end.wait(10)
        opened.append(SimpleNamespace())
        return opened[-1]

    process = LazyBroker({})
    monkeypatch.setattr(process, "open_broker", open_slowly)
    monkeypatch.setattr(lazy_broker, "PROCESS", process)
    index_an_app()
    early = threading.Thread(target=warmed[0])
    early.start()
    assert begun.wait(10)
    found: list[Any] = []
    request = threading.Thread(target=lambda: found.append(lazy_broker.current_broker()))
    request.start()
    may_end.set()
    early.join(10)
    request.join(10)
    assert found == opened
    assert len(opened) == 1
