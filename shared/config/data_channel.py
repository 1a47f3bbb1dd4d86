"""What a page may send and receive on the data channel of a Live call.

An open channel tells the page the instructions and every tool, and lets it replace the backend's
model and spend its tokens. So the lists are always sent, and short: captions, mute, pause, usage
and the end. A profile may add to them (`session.client.data_channel`). `session.started`,
`session.updated` and `session.closed` are not among them: each carries the whole session, its id
and instructions included. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.core.json_schema import did_you_mean

CLIENT_EVENTS = (
    "session.input_audio.mute",
    "session.input_audio.unmute",
    "session.close",
)
SERVER_EVENTS = (
    "session.input_transcript.delta",
    "session.output_transcript.delta",
    "session.input_audio.muted",
    "session.input_audio.unmuted",
    "session.paused",
    "session.resumed",
    "session.usage.updated",
    "error",
    "info",
)
TELL_THE_SESSION = ("session.started", "session.updated", "session.closed")
"""Server events that carry the session, with its id and its instructions."""
ACT_ON_THE_SESSION = (
    "session.update",
    "session.instructions.append",
    "response.create",
    "response.item.create",
)
"""Client events with which a page changes what the assistant is, or spends the backend's tokens."""
KNOWN_CLIENT_EVENTS = frozenset(
    {
        *CLIENT_EVENTS,
        *ACT_ON_THE_SESSION,
        *("session.start", "session.input_audio.append", "session.output_audio.fixture.play"),
        *("session.thinking.append", "session.commentary.append"),
        *("decision.create", "decision.item.create", "decision.item.delete"),
    }
)
KNOWN_SERVER_EVENTS = frozenset(
    {
        *SERVER_EVENTS,
        *TELL_THE_SESSION,
        *("session.output_audio.fixture.playing", "session.output_audio.fixture.played"),
        *("session.instructions.appended", "session.thinking.appended"),
        *("session.commentary.appended", "session.input_audio.append"),
        *("session.output_audio.delta", "session.delegation.created", "response.event"),
        *("decision.event", "decision.item.created", "decision.item.deleted"),
        *("transport.dtmf.received", "transport.dtmf.send", "transport.dtmf.sent"),
        *("transport.ringing", "transport.answered", "transport.failed"),
    }
)
"""All that the official Python types know (2026), with the events of pausing. The service may have
newer ones."""
ALL = "all"
MOST_EVENTS = 256
"""Entries of one list."""
RESPONSE_EVENT = "response.event"
"""The one server event whose entry names what is nested in it."""


def widened_channel(channel: Mapping[str, Any]) -> dict[str, Any]:
    """The lists that are sent: the short ones, and what the profile adds to them."""
    client = channel.get("allowed_client_events") or ()
    server = channel.get("allowed_server_events") or ()
    return {
        "allowed_client_events": client if client == ALL else distinct([*CLIENT_EVENTS, *client]),
        "allowed_server_events": server
        if server == ALL
        else distinct([*map(selector, SERVER_EVENTS), *map(selector, server)]),
    }


def selector(entry: Any) -> Any:
    """An entry of the server events' list; a profile may name the type alone."""
    return {"type": entry} if isinstance(entry, str) else entry


def distinct(entries: Sequence[Any]) -> list[Any]:
    """The entries in their order, each once."""
    return [entry for at, entry in enumerate(entries) if entry not in entries[:at]]


def check_channel(channel: Mapping[str, Any]) -> list[str]:
    """What is wrong with a profile's lists that are valid by the schema."""
    where = "session.client.data_channel"
    wrong = []
    for name, entries in widened_channel(channel).items():
        if entries != ALL and len(entries) > MOST_EVENTS:
            wrong.append(
                f"{where}.{name}: expected up to {MOST_EVENTS} events, with those that are always "
                "allowed"
            )
    server = channel.get("allowed_server_events") or ()
    for at, entry in enumerate([] if server == ALL else map(selector, server)):
        path = f"{where}.allowed_server_events[{at}].response_event"
        if entry["type"] == RESPONSE_EVENT and "response_event" not in entry:
            wrong.append(f"{path}: missing, which {RESPONSE_EVENT} needs")
        elif entry["type"] != RESPONSE_EVENT and "response_event" in entry:
            wrong.append(f"{path}: expected with the type {RESPONSE_EVENT} alone")
    return wrong


def unknown_events(session: Mapping[str, Any]) -> list[str]:
    """The entries of a profile's lists that are no known event, each with the one that is most like
    it: misspelt, or newer than this release."""
    channel = session.get("client", {}).get("data_channel", {})
    known = {
        "allowed_client_events": KNOWN_CLIENT_EVENTS,
        "allowed_server_events": KNOWN_SERVER_EVENTS,
    }
    unknown = []
    for name, events in known.items():
        entries = channel.get(name) or ()
        named = [] if entries == ALL else [selector(entry)["type"] for entry in entries]
        unknown += [
            f"{each}{did_you_mean(each, set(events))}" for each in named if each not in events
        ]
    return unknown


def told_to_page(session: Mapping[str, Any]) -> list[str]:
    """The events by which a page reads the session, or may change it."""
    channel = session.get("client", {}).get("data_channel", {})
    client, server = channel.get("allowed_client_events"), channel.get("allowed_server_events")
    told = [name for name in TELL_THE_SESSION if server == ALL or {"type": name} in (server or ())]
    if client == ALL:
        return [*told, "every client event"]
    return [*told, *(name for name in ACT_ON_THE_SESSION if name in (client or ()))]
