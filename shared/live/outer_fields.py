"""The fields around the session of an event that is too large to be read, in bounded time. Pure.

A page may make the session that `session.closed` carries so large or so nested that it is not read.
Why the session is over, and what it used, stands beside it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from shared.sideband.json_frames import LARGEST_EVENT

EDGE = 2_000
"""In bytes: how far from either end of an event its fields are looked for."""
SPACE = r"\s{0,4}"
TEXT = r'"[^"\\]{0,200}"'
NUMBER = r"-?[0-9][0-9.eE+-]{0,20}"
FLAT = r"\{[^{}\[\]\\]{0,500}\}"
MEMBER = (
    rf'"(?:type|event_id|client_event_id|reason|usage)"{SPACE}:{SPACE}'
    rf"(?:{TEXT}|{NUMBER}|{FLAT}|null)"
)
BEFORE = re.compile(rf"{SPACE}\{{({SPACE}(?:{MEMBER}{SPACE},{SPACE}){{0,8}})")
BEHIND = re.compile(rf"\}}({SPACE}(?:,{SPACE}{MEMBER}{SPACE}){{1,8}})\}}{SPACE}\Z")
"""What follows the end of the session, up to the end of the event. Whatever is in the session has
its end between itself and this; and in a text every quote is escaped."""
ONE = re.compile(MEMBER)


def outer_fields(frame: str | bytes) -> dict[str, Any]:
    """The fields of an event, as far as they stand before or behind its session."""
    ends = [BEFORE.match(edge(frame[:EDGE]))]
    # Only the beginning of a longer frame is here, and a page may choose where it is cut.
    if len(frame) <= LARGEST_EVENT:
        ends.append(BEHIND.search(edge(frame[-EDGE:])))
    found: dict[str, Any] = {}
    for members in ends:
        for member in ONE.findall(members[1]) if members else ():
            try:
                found |= json.loads(f"{{{member}}}")
            except ValueError:
                continue
    return found


def edge(part: str | bytes) -> str:
    return part if isinstance(part, str) else part.decode(errors="replace")
