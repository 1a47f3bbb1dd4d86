"""What is sent of a session: the lists of the data channel always, the rest as the endpoint takes
it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.config.live_settings import OPTIONAL_FIELDS
from shared.live.session_fields import create_body, probe_body, session_to_send

EVERYTHING = frozenset(OPTIONAL_FIELDS)
SESSION: dict[str, Any] = {
    "model": "gpt-live-1",
    "instructions": "hidden",
    "client": {"data_channel": {"allowed_client_events": [], "allowed_server_events": []}},
    "idle_timeout_s": 60,
    "wake_policy": {"type": "speech"},
    "store": True,
    "triggers": [],
}


def test_every_field_is_sent_where_it_is_served() -> None:
    sent = session_to_send(SESSION, EVERYTHING, "caller-7")
    assert sent == {**SESSION, "safety_identifier": "caller-7"}


def test_optional_fields_are_withheld_where_they_are_not_known_to_be_served() -> None:
    sent = session_to_send(SESSION, frozenset(), "caller-7")
    assert sent.keys() == {"model", "instructions", "client"}


def test_a_field_is_not_sent_without_the_one_that_it_needs() -> None:
    sent = session_to_send(SESSION, EVERYTHING - {"wake_policy"})
    assert not sent.keys() & {"wake_policy", "idle_timeout_s"}


@pytest.mark.parametrize("client", [None, {"data_channel": {}}])
def test_the_data_channel_is_never_left_open(client: Any) -> None:
    session = {"model": "m"} if client is None else {"model": "m", "client": client}
    lists = session_to_send(session, EVERYTHING)["client"]["data_channel"]
    assert isinstance(lists["allowed_client_events"], list)
    assert isinstance(lists["allowed_server_events"], list)
    assert "session.update" not in lists["allowed_client_events"]
    assert {"type": "session.started"} not in lists["allowed_server_events"]


def test_a_create_has_the_offer_and_a_probe_has_none() -> None:
    session = session_to_send(SESSION, EVERYTHING)
    body = json.loads(create_body(session, "v=0\r\n"))
    assert body == {"session": session, "transport": {"type": "webrtc", "sdp": "v=0\r\n"}}
    assert json.loads(probe_body(session)) == {"session": session}
