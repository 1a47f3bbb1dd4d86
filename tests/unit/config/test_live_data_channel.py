"""The events that a profile of GPT-Live lets a page send and see, and which are warned of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from openai.types.live import ClientEvent, ServerEvent

from shared.config.data_channel import CLIENT_EVENTS, SERVER_EVENTS, TELL_THE_SESSION
from tests.unit.config.live_profiles import talk

SHORT_SERVER_LIST = [{"type": name} for name in SERVER_EVENTS]


def test_the_smallest_profile_gets_a_model_and_a_closed_channel(tmp_path: Path) -> None:
    assert talk(tmp_path, {}).session == {
        "model": "gpt-live-1",
        "client": {
            "data_channel": {
                "allowed_client_events": list(CLIENT_EVENTS),
                "allowed_server_events": SHORT_SERVER_LIST,
            }
        },
    }


def test_no_event_that_carries_the_session_is_allowed_by_default() -> None:
    assert not {*SERVER_EVENTS} & {*TELL_THE_SESSION}


def test_a_profile_widens_the_lists(tmp_path: Path) -> None:
    channel = {
        "allowed_client_events": ["session.thinking.append", "session.close"],
        "allowed_server_events": [
            {"type": "session.thinking.appended"},
            {"type": "response.event", "response_event": "response.completed"},
            "error",
        ],
    }
    sent = talk(tmp_path, {"client": {"data_channel": channel}}).session["client"]["data_channel"]
    assert sent["allowed_client_events"] == [*CLIENT_EVENTS, "session.thinking.append"]
    assert sent["allowed_server_events"] == [
        *SHORT_SERVER_LIST,
        {"type": "session.thinking.appended"},
        {"type": "response.event", "response_event": "response.completed"},
    ]


@pytest.mark.parametrize(
    ("channel", "told"),
    [
        ({"allowed_server_events": "all"}, "session.started, session.updated, session.closed"),
        ({"allowed_server_events": [{"type": "session.started"}]}, "session.started"),
        ({"allowed_client_events": "all"}, "every client event"),
        ({"allowed_client_events": ["session.update"]}, "session.update"),
        ({"allowed_client_events": ["response.create"]}, "response.create"),
        ({"allowed_client_events": ["response.item.create"]}, "response.item.create"),
        (
            {"allowed_client_events": ["session.instructions.append", "session.update"]},
            "session.update, session.instructions.append",
        ),
    ],
)
def test_a_channel_that_tells_the_session_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, channel: Any, told: str
) -> None:
    talk(tmp_path, {"client": {"data_channel": channel}})
    [line] = [each for each in caplog.messages if "open data channel" in each]
    assert told in line


@pytest.mark.parametrize(
    ("channel", "told"),
    [
        (
            {"allowed_client_events": ["session.close", "session.thinking.apend"]},
            'session.thinking.apend, did you mean \\"session.thinking.append\\"?',
        ),
        (
            {"allowed_server_events": ["session.delegation.create", {"type": "tomorrow"}]},
            'session.delegation.create, did you mean \\"session.delegation.created\\"?; tomorrow',
        ),
        ({"allowed_server_events": ["session.input_audio.mute"]}, "session.input_audio.muted"),
    ],
)
def test_an_event_that_nobody_knows_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, channel: Any, told: str
) -> None:
    profile = talk(tmp_path, {"client": {"data_channel": channel}})
    [line] = [each for each in caplog.messages if "unknown data channel events" in each]
    assert told in line
    [name] = channel
    sent = profile.session["client"]["data_channel"][name]
    assert len(sent) > len(channel[name]), "it may be newer than this release"


def test_known_events_are_not_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    response = {"type": "response.event", "response_event": "response.output_text.delta"}
    lists: list[dict[str, Any]] = [
        {
            "allowed_client_events": sorted(event_types(ClientEvent)),
            "allowed_server_events": [
                *sorted(event_types(ServerEvent) - {"response.event"}),
                response,
            ],
        },
        {"allowed_client_events": "all", "allowed_server_events": "all"},
        {},
    ]
    for channel in lists:
        talk(tmp_path, {"client": {"data_channel": channel}})
    assert not any("unknown data channel" in each for each in caplog.messages)


def event_types(union: Any) -> set[str]:
    """The types of the official events."""
    if fields := getattr(union, "model_fields", None):
        return set(get_args(fields["type"].annotation))
    return set().union(*map(event_types, get_args(union)))
