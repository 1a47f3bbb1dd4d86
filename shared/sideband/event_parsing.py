"""JSON -> server event, by the parsers of one API. Nothing here raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.core.untrusted import NAME_CHARACTERS, clean_text
from shared.sideband.events import Json, NotUnderstood, OtherEvent, ServerEvent

Parsers = Mapping[str, Callable[[str, Json], ServerEvent]]
"""What reads an event, by the event's type. One that raises has not understood it."""


def parse_event(raw: Json, parsers: Parsers) -> ServerEvent:
    """The event in a JSON object, whatever is in it; one whose type has no parser is an
    `OtherEvent`."""
    kind = raw.get("type")
    parse = parsers.get(kind) if isinstance(kind, str) else None
    if parse is None:
        return OtherEvent(clean_text(kind, NAME_CHARACTERS) if isinstance(kind, str) else "")
    assert isinstance(kind, str)
    try:
        return parse(kind, raw)
    except Exception as error:  # whatever it is, it costs this event alone
        return NotUnderstood(kind, type(error).__name__)
