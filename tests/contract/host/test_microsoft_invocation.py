"""The product's functions, called by Microsoft's runtime package behind our host: every request
that the real host passed on to the app, every queue trigger, and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local.host.app import FunctionHost
from local.host.queue_trigger import trigger_data
from local.host.timer_trigger import REQUEST
from shared.calls.queue_messages import call_message
from shared.storage.interfaces import Message
from tests.contract.host.microsoft_runtime import FunctionFailed, running_in_microsofts_runtime
from tests.contract.host.test_real_host import NAMES, ROWS, SETTINGS, Asked, check_answer, prepared
from tests.support.loop_thread import Runner

ANYTHING = "what a page said"
MESSAGES = [
    ("end_call", call_message("{id}"), ""),
    ("observe_call", call_message("{id}"), ""),
    ("end_call", '{"v": 2, "calls": []}', ""),
    ("observe_call", ANYTHING, "MessageFailed('JSONDecodeError')"),
    ("end_call", call_message(ANYTHING), "MessageFailed('ValueError')"),
    ("observe_call_poison", ANYTHING, ""),
    ("end_call_poison", call_message("{id}"), ""),
]


@dataclass(frozen=True)
class Served:
    """The app in Microsoft's runtime, and the loop that its host runs on."""

    asked: Asked
    host: FunctionHost
    run: Runner


@pytest.fixture(scope="module")
def served(runtime_python: str) -> Iterator[Served]:
    with running_in_microsofts_runtime(runtime_python, NAMES, SETTINGS) as (app, host, run):
        yield Served(prepared(app), host, run)


def test_requests_are_answered_as_the_real_host_did(served: Served) -> None:
    answered = [row for row in ROWS if row["by"] == "app"]
    assert len(answered) > 90
    for row in answered:
        try:
            check_answer(served.asked, row)
        except AssertionError as wrong:
            raise AssertionError(row["name"]) from wrong


@pytest.mark.parametrize(("name", "body", "error"), MESSAGES)
def test_messages_reach_the_queue_functions(
    served: Served, name: str, body: str, error: str
) -> None:
    asked = served.asked
    ended = f"{asked.app.url}/api/calls/{asked.handle}/hangup"
    assert asked.app.session.post(ended).status_code == 204
    text = body.replace("{id}", asked.call_id)
    message, metadata = trigger_data(Message("1", text, 1, "receipt"))
    call = served.host.invoker.call_function(served.host.functions[name], message, metadata)
    if not error:
        assert served.run(call).returned is None
        return
    with pytest.raises(FunctionFailed) as failed:
        served.run(call)
    assert str(failed.value) == error, "no text of the message"


def test_the_timer_runs(served: Served) -> None:
    function = served.host.functions["sweep_calls"]
    assert served.run(served.host.invoker.call_function(function, REQUEST, {})).returned is None
