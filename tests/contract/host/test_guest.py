"""The broker as a Blueprint in a function app of somebody else's, which keeps its routes, names,
settings and log lines."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import azure.functions as func
import pytest

from local import guest
from local.host.indexing import IndexedFunction, index_functions
from local.host.loading import load_app
from shared.api import lazy_broker
from shared.api.blueprint import open_blueprint
from shared.api.routes import ROUTES
from shared.api.triggers import QUEUE_TRIGGERS
from shared.config.guest_settings import settings_under
from tests.support.app_settings import app_settings
from tests.support.broker_programs import scripted_endpoint
from tests.support.offers import OFFER
from tests.support.programs import ROOT, Program, program
from tests.support.scripted_endpoint import Said, answer_reply

STRANGE = Path(__file__).with_name("strange")
OWN = {"health": "health", "calls/{handle}": "call", "state": "state"}
THEIRS = {
    "ALLOWED_ORIGINS": "https://orders.example.com and others",
    "LIMIT_UPLOADS": "of theirs, and unknown to the broker",
    "OBSERVER": "theirs",
    "KEY_VAULT_URI": "theirs",
    "REALTIME_MODEL": "theirs",
}
"""Settings of theirs: some have names that the broker's have without a prefix."""


@pytest.fixture
def functions() -> Iterator[dict[str, IndexedFunction]]:
    before = lazy_broker.PROCESS
    yield {each.name: each for each in index_functions(load_app(STRANGE), route_prefix="v1")}
    lazy_broker.PROCESS = before


def level_of(function: IndexedFunction) -> Any:
    [trigger] = [each for each in function.bindings if each["type"] == "httpTrigger"]
    return trigger["authLevel"]


def test_every_function_of_both_is_there_under_names_and_routes_of_its_own(
    functions: dict[str, IndexedFunction],
) -> None:
    routes = {
        each.route.template.text: (each.name, str(level_of(each)).rpartition(".")[2])
        for each in functions.values()
        if each.route
    }
    own = {f"v1/{route}": (name, "FUNCTION") for route, name in OWN.items()}
    guests = {
        f"v1/voice/{route}": (f"voice_{answer.__name__}", "ANONYMOUS")
        for route, answer in ROUTES.items()
    }
    assert routes == own | guests
    queues = {each.queue: each.name for each in functions.values() if each.queue}
    assert queues == {
        "call-ended": "end_call",
        **{queue: f"voice_{handle.__name__}" for queue, handle in QUEUE_TRIGGERS.items()},
    }
    assert functions["voice_sweep_calls"].period


@pytest.mark.parametrize(
    "prefix",
    [
        {"route_prefix": "/voice"},
        {"route_prefix": "voice/"},
        {"route_prefix": "{tenant}"},
        {"function_prefix": "voice-"},
        {"function_prefix": "1"},
        {"settings_prefix": "VOICE"},
        {"storage_connection": "VOICE__STORAGE"},
        {"settings_prefix": "voice_"},
    ],
    ids=str,
)
def test_a_prefix_that_functions_would_not_take_is_refused(prefix: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(prefix))):
        open_blueprint(**prefix)


def test_settings_without_the_prefix_are_not_the_brokers() -> None:
    env = {
        **THEIRS,
        "VOICE_REALTIME_MODEL": "gpt-realtime",
        "AZURE_RESOURCE": "theirs",
        "AZURE_CLIENT_ID": "the platform's",
        "AzureWebJobsStorage__queueServiceUri": "https://x.queue.core.windows.net",
        "AzureFunctionsJobHost__functionTimeout": "00:30:00",
    }
    assert settings_under(env, "VOICE_") == {
        "REALTIME_MODEL": "gpt-realtime",
        "AZURE_CLIENT_ID": "the platform's",
        "AzureWebJobsStorage__queueServiceUri": "https://x.queue.core.windows.net",
        "AzureFunctionsJobHost__functionTimeout": "00:30:00",
    }


def test_the_brokers_storage_may_be_an_account_of_its_own() -> None:
    env = {
        "AzureWebJobsStorage__accountName": "theirs",
        "VOICE_STORAGE__queueServiceUri": "https://ours.queue.core.windows.net",
        "VOICE_STORAGE__clientId": "an identity",
        "VOICE_REALTIME_MODEL": "gpt-realtime",
    }
    assert settings_under(env, "VOICE_", "VOICE_STORAGE") == {
        "AzureWebJobsStorage__queueServiceUri": "https://ours.queue.core.windows.net",
        "AzureWebJobsStorage__clientId": "an identity",
        "REALTIME_MODEL": "gpt-realtime",
    }
    before = lazy_broker.PROCESS
    app = func.FunctionApp()
    app.register_functions(open_blueprint(storage_connection="VOICE_STORAGE"))
    lazy_broker.PROCESS = before
    bindings = [each for one in app.get_functions() for each in one.get_bindings_dict()["bindings"]]
    connections = [each["connection"] for each in bindings if each["type"] == "queueTrigger"]
    assert connections == ["VOICE_STORAGE"] * len(QUEUE_TRIGGERS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Their app's folder, with the broker's folders in it. The local host belongs to the package
    too, or it would bring its own copy of the broker."""
    for name in ("function_app.py", "host.json"):
        (tmp_path / name).symlink_to(STRANGE / name)
    for name in ("shared", "profiles", "local", "realtime_emulator"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.fixture
async def strange(folder: Path) -> AsyncIterator[Program]:
    """Their app on the local host, with one call that can be started."""
    with scripted_endpoint() as endpoint:
        endpoint.on("/openai/v1/realtime/calls", answer_reply("/v1/realtime/calls/rtc_1"))
        endpoint.on("/openai/v1/realtime/calls/rtc_1/hangup", Said(200))
        ours = app_settings(endpoint.url, CALL_ENDED_EVENTS="on")
        environment = {
            **THEIRS,
            **{f"VOICE_{name}": value for name, value in ours.items()},
            "PYTHONPATH": str(folder),
        }
        options = ("--port", "0", "--log", "info")
        async with program("local.host", *options, environment=environment, cwd=folder) as host:
            yield host


async def test_both_work_in_one_app_and_neither_sees_the_other(strange: Program) -> None:
    base = f"{strange.url}/v1"
    async with aiohttp.ClientSession() as session:

        async def get(path: str) -> str:
            async with session.get(f"{base}/{path}") as answer:
                assert answer.status == 200, await answer.text()
                return await answer.text()

        assert await get("health") == "the orders are well"
        assert await get("calls/7") == "the call for order 7"
        assert '"ok"' in await get("voice/health")
        headers = {"Content-Type": "application/sdp"}
        async with session.post(f"{base}/voice/connect", data=OFFER, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
            place = answer.headers["Location"]
        assert place.startswith("calls/"), "beside the route that it was posted to"
        async with session.post(f"{base}/voice/{place}/hangup") as answer:
            assert answer.status == 204
        done = await strange.line_with("order of")
        assert done.endswith("is done: caller")
        # After the broker has opened: it must have set nothing for the others.
        assert f'"origins": "{THEIRS["ALLOWED_ORIGINS"]}"' in (seen := await get("state"))
        assert '"same": true' in seen
        own_line = await strange.line_with("an order of ours")
        assert "ek_of_our_own_0123456789" in own_line, "their lines are theirs"


LINES = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
from shared.api.blueprint import open_blueprint
open_blueprint(settings_prefix="VOICE_")
from shared.core import logs
for name in ("broker", "azure.identity", "theirs"):
    logging.getLogger(name).warning("a token: ek_0123456789abcdef")
if {after}:
    logs.set_up()
    logging.getLogger("theirs").warning("a token: ek_0123456789abcdef")
"""


@pytest.mark.parametrize("after", [False, True])
def test_only_what_the_broker_and_its_libraries_log_is_redacted(after: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LINES.replace("{after}", str(after))],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = ["a token: [redacted]", "a token: [redacted]", "a token: ek_0123456789abcdef"]
    assert done.stdout.splitlines() == said + ["a token: [redacted]"] * after


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """Their app with a package `shared` and a profile of its own, and the broker moved in under
    another name."""
    strange = (STRANGE / "function_app.py").read_text(encoding="utf-8")
    own = "from shared.prices import PRICE\n"
    moved = strange.replace("from shared.api", f"{own}from voice_broker.api")
    (tmp_path / "function_app.py").write_text(moved, encoding="utf-8")
    (tmp_path / "host.json").write_text("{}", encoding="utf-8")
    (tmp_path / "requirements.txt").write_text("azure_functions\nrequests>=2\n", encoding="utf-8")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "prices.py").write_text("PRICE = 7\n", encoding="utf-8")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "default.json").write_text('{"theirs": 1}', encoding="utf-8")
    return tmp_path


USED = """
import asyncio, json, sys
import azure.functions as func
import function_app

found = {each.get_function_name(): each for each in function_app.app.get_functions()}

class Context:
    function_name, invocation_id = "voice_health", "1"

request = func.HttpRequest("GET", "/api/voice/health", body=b"")
answer = asyncio.run(found["voice_health"].get_user_function()(request, Context()))
ours = sorted(name for name in sys.modules if name.partition(".")[0] == "shared")
print(json.dumps([answer.status_code, ours, "voice_broker.broker" in sys.modules]))
"""


def test_the_broker_moves_into_an_app_that_has_a_package_of_that_name(
    crowded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):  # the second time as a later release
        code = guest.main([str(crowded), "--package", "voice_broker", "--profiles", "voices"])
        assert code == 0
    said = capsys.readouterr().out
    assert "from voice_broker.api.blueprint import open_blueprint" in said
    assert "VOICE_REALTIME_PROFILES=voices" in said
    assert "azure-identity==" in said
    assert not re.search(r"^ +(?:azure-functions|requests)==", said, re.M), "they are there"
    settings = app_settings("http://127.0.0.1:1", REALTIME_PROFILES="voices")
    environment = {**THEIRS, **{f"VOICE_{name}": value for name, value in settings.items()}}
    done = subprocess.run(
        [sys.executable, "-c", USED], cwd=crowded, env={**os.environ, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == [200, ["shared", "shared.prices"], True], done.stderr
    assert (crowded / "profiles" / "default.json").read_text(encoding="utf-8") == '{"theirs": 1}'
    assert not (crowded / "voices" / "agents-sdk.json").exists(), "a sample for laptops"


@pytest.mark.parametrize(
    ("package", "words"),
    [("shared", "is not the broker's"), ("json", "cannot be"), ("Voice-Broker", "cannot be")],
)
def test_what_is_not_the_brokers_is_not_replaced(
    crowded: Path, capsys: pytest.CaptureFixture[str], package: str, words: str
) -> None:
    assert guest.main([str(crowded), "--package", package]) == 2
    assert words in capsys.readouterr().err
    assert (crowded / "shared" / "prices.py").exists()


def test_a_folder_that_is_no_function_app_is_left_alone(tmp_path: Path) -> None:
    assert guest.main([str(tmp_path)]) == 2
    assert not list(tmp_path.iterdir())
