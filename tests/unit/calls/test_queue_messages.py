"""Messages that another release sent: understood where they can be, and otherwise put back."""

from __future__ import annotations

import json
from datetime import timedelta

import azure.functions as func
import pytest

import function_app
from shared.api import lazy_broker
from shared.api.lazy_broker import LazyBroker, current_broker
from shared.calls.queue_messages import (
    LONGEST_PAUSE,
    PUT_BACK_AT_MOST,
    NewerMessage,
    call_message,
    put_back,
    record_id_in,
)
from shared.storage.interfaces import Queue
from tests.support.app_settings import app_settings

NAME = "20300101-43200000-0123456789ab"
LATER = json.dumps({"v": 2, "calls": [NAME]})


@pytest.mark.parametrize(
    "body",
    [
        call_message(NAME),
        json.dumps({"call": NAME}),
        json.dumps({"v": 2, "call": NAME, "region": "north"}),
    ],
)
def test_a_message_that_names_a_call_is_understood(body: str) -> None:
    assert record_id_in(body) == NAME
    assert record_id_in(put_back(body)[0]) == NAME, "an instance of that release has it next"


@pytest.mark.parametrize(
    "body", [LATER, "{}", json.dumps({"v": 2, "call": "an id in a form of its own"})]
)
def test_a_message_of_a_later_release_is_put_back_with_growing_pauses(body: str) -> None:
    delays, again = [], body
    for _ in range(PUT_BACK_AT_MOST):
        with pytest.raises(NewerMessage):
            record_id_in(again)
        again, delay = put_back(again)
        delays.append(delay)
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (timedelta(seconds=30), LONGEST_PAUSE)
    assert sum(delays, timedelta()) > timedelta(hours=23), "longer than an upgrade lasts"
    assert len(again) < len(body) + 200, "it is not wrapped again and again"
    with pytest.raises(ValueError, match="no instance"):
        put_back(again)


@pytest.mark.parametrize(
    "body",
    [
        *("", "not JSON", "[1]", '"text"'),
        '{"put_back": null}',
        '{"put_back": 5, "v": 2}',
        '{"put_back": {}}',
        '{"put_back": {"body": 5, "times": 1}}',
        '{"put_back": {"body": "{}"}}',
        '{"put_back": {"body": "{}", "times": "x"}}',
        '{"put_back": {"body": "{}", "times": -1}}',
    ],
)
def test_what_no_release_has_sent_is_an_error(body: str) -> None:
    for read in (record_id_in, put_back):
        with pytest.raises(ValueError):  # noqa: PT011
            read(body)


class Trigger(func.QueueMessage):
    def __init__(self, body: str) -> None:
        self.body = body

    def get_body(self) -> bytes:
        return self.body.encode()


class Context:
    invocation_id = "invocation"


async def test_the_queue_functions_put_a_later_message_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = app_settings("http://127.0.0.1:1")
    monkeypatch.setattr(lazy_broker, "PROCESS", LazyBroker(settings))
    stores = current_broker().stores
    queues: dict[str, list[tuple[str, timedelta]]] = {"end": [], "observe": []}

    def sent_to(name: str) -> object:
        def send(body: str, *, delay: timedelta = timedelta(0)) -> None:
            queues[name].append((body, delay))

        return send

    named: dict[str, Queue] = {"end": stores.end_queue, "observe": stores.observe_queue}
    for name, queue in named.items():
        monkeypatch.setattr(queue, "send", sent_to(name))
    # The framework names each function once in a process.
    function_app.app.functions_bindings = {}
    functions = {each.get_function_name(): each for each in function_app.app.get_functions()}
    for name in queues:
        await functions[f"{name}_call"].get_user_function()(Trigger(LATER), Context())
        assert queues[name] == [put_back(LATER)]
