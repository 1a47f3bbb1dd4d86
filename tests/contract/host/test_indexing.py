"""The local host refuses at start what the real host refuses at indexing, with clear messages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.host.app import open_app
from local.host.config import HostConfigError, read_host_json, read_local_settings
from local.host.indexing import index_functions
from local.host.loading import IndexingError, load_app
from tests.support.programs import program, run

APPS = Path(__file__).with_name("apps")

# The app, and the texts that the one line about it must contain.
WRONG = {
    "unbound_parameter": ("unbound", "'more'"),
    "missing_parameter": ("missing", "'out'"),
    "missing_out": ("no_out", "func.Out"),
    "out_of_int": ("out_int", "'out'"),
    "bare_out": ("bare", "func.Out"),
    "out_as_input": ("inward", "func.Out"),
    "wrong_trigger_type": ("typed", "QueueMessage"),
    "wrong_queue_type": ("typed", "dict"),
    "wrong_context": ("contextual", "func.Context"),
    "wrong_return": ("dictionary", "dict"),
    "no_return": ("nothing", "None"),
    "union_return": ("either", "|"),
    "same_name": ("twin", "unique"),
    "two_apps": ("FunctionApp", "Blueprint"),
    "no_app": ("FunctionApp", "function_app.py"),
    "no_trigger": ("untriggered", "trigger"),
    "import_error": ("a_module_that_is_not_there", "function_app.py"),
    "host_same_route": ("two", "one"),
    "host_no_functions": ("function_app.py", "trigger"),
    "host_reserved_route": ("reserved", "admin/x"),
    "host_bad_template": ("template", "number"),
    "host_blob": ("arriving", "blobTrigger"),
    "host_schedule": ("ticking", "0 0 9 * * 1-5"),
}


def test_every_wrong_app_is_in_the_table() -> None:
    assert {path.name for path in APPS.iterdir() if path.is_dir()} - {"good"} == set(WRONG)


@pytest.mark.parametrize("app", WRONG)
def test_a_wrong_app_is_refused(app: str) -> None:
    with pytest.raises(IndexingError) as refused:
        index_functions(load_app(APPS / app))
    [reason] = refused.value.reasons
    for word in WRONG[app]:
        assert word in reason


def test_a_right_app_is_indexed() -> None:
    functions = {function.name: function for function in index_functions(load_app(APPS / "good"))}
    assert functions["work"].queue == "work"
    assert functions["work"].wants_context
    assert functions["work"].is_async
    route = functions["echo"].route
    assert route
    assert route.methods == {"GET", "POST", "PUT"}
    assert route.template.text == "api/echo"


async def test_the_program_says_why_and_ends_with_2() -> None:
    code, out, errors = await run("local.host", "--port", "0", "--app", str(APPS / "missing_out"))
    assert (code, out) == (2, "")
    assert re.fullmatch(r"host: function no_out: .+\n", errors)


async def test_the_program_reads_local_settings_below_the_environment(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(
        "import os\nimport azure.functions as func\n\napp = func.FunctionApp()\n"
        "\n@app.route()\ndef both(req: func.HttpRequest) -> str:\n"
        "    return os.environ['FROM_FILE'] + os.environ['FROM_BOTH']\n"
    )
    (tmp_path / "local.settings.json").write_text(
        '{"IsEncrypted": false, "Values": {"FROM_FILE": "file ", "FROM_BOTH": "file"}}'
    )
    arguments = ("--port", "0", "--app", str(tmp_path))
    async with program("local.host", *arguments, environment={"FROM_BOTH": "env"}) as host:
        assert await fetched(host.url + "/api/both") == "file env"
    assert host.process.returncode == 0
    assert any(line.startswith("INFO local.host.app: GET /api/both 200") for line in host.errors)


async def fetched(url: str) -> str:
    import aiohttp

    async with aiohttp.ClientSession() as session, session.get(url) as got:
        return await got.text()


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"functionTimeout": "soon"}',
        '{"extensions": {"queues": {"batchSize": 33}}}',
        '{"extensions": {"queues": {"messageEncoding": "none"}}}',
        '{"extensions": []}',
    ],
)
def test_a_wrong_host_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "host.json"
    path.write_text(text)
    with pytest.raises(HostConfigError, match=r"host\.json"):
        read_host_json(path)


def test_an_app_setting_overrides_host_json(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text('{"extensions": {"queues": {"batchSize": 8, "newBatchThreshold": 99}}}')
    name = "AzureFunctionsJobHost__extensions__queues__newBatchThreshold"
    queues = read_host_json(path, {name: "7", "OTHER__batchSize": "1"}).queues
    assert (queues.batch_size, queues.new_batch_threshold) == (8, 7)
    assert read_host_json(path).queues.new_batch_threshold == 99
    with pytest.raises(HostConfigError, match="newBatchThreshold"):
        read_host_json(path, {name: "many"})
    with pytest.raises(HostConfigError, match="has no parts"):
        read_host_json(path, {f"{name}__x": "1"})


@pytest.mark.parametrize("text", ['{"IsEncrypted": true}', '{"Values": {"A": 1}}'])
def test_wrong_local_settings_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "local.settings.json"
    path.write_text(text)
    with pytest.raises(HostConfigError, match=r"local\.settings\.json"):
        read_local_settings(path)


def test_a_trigger_may_have_a_connection_of_its_own_that_a_setting_names(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(
        "import azure.functions as func\n\napp = func.FunctionApp()\n"
        "\n@app.queue_trigger('message', 'work', connection='ELSEWHERE')\n"
        "def far(message: func.QueueMessage) -> None: ...\n"
    )
    with pytest.raises(HostConfigError, match=r"far.*ELSEWHERE"):
        open_app(tmp_path, {})
    elsewhere = "UseDevelopmentStorage=true"
    host = open_app(tmp_path, {"ELSEWHERE": elsewhere})
    assert list(host.others) == ["ELSEWHERE"]
    assert host.queue_listener(host.functions["far"]).queue is not host.storage.queue("work")
