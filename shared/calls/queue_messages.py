"""The messages about calls: their queues, their bodies, their delays.

A body is JSON: `call`, the record's id, `v`, the version of the body, and `tries`, how often in a
row what it asks for could not be done. Instances of two releases share the queues during an
upgrade, so members that are not known are ignored, and a body that does not name a call is put back
for an instance that understands it.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from shared.calls.record_ids import is_record_id

END_QUEUE = "end-call"
OBSERVE_QUEUE = "observe-call"
VERSION = 1
END_MESSAGE_EARLY = timedelta(seconds=4)
"""How long before a call's limit its end message is delivered, because queues are polled every two
seconds; its receiver waits for the exact moment."""
SECOND_END_MESSAGE_LATE = timedelta(seconds=15)
"""How long after a call's limit its second end message is delivered."""
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)
PUT_BACK = "put_back"
PUT_BACK_AT_MOST = 150
"""About a day, far longer than an upgrade lasts."""


class NewerMessage(Exception):
    """A later release sent this message, and this one does not understand it."""


def call_message(record_id: str, tries: int = 0) -> str:
    """The body of a message about the call with that record. It names the call, nothing more."""
    return json.dumps({"v": VERSION, "call": record_id, **({"tries": tries} if tries else {})})


def tries_in(body: str) -> int:
    """How often in a row what a body asks for could not be done; 0 for any other body."""
    try:
        tries = read_object(body).get("tries", 0)
    except (ValueError, RecursionError):
        return 0
    return tries if isinstance(tries, int) and tries >= 0 else 0


def tried_again(body: str) -> str:
    """The body of the message that comes after one whose work could not be done. Raises
    ValueError for what is not a JSON object."""
    return json.dumps({**read_object(body), "tries": tries_in(body) + 1})


def record_id_in(body: str) -> str:
    """The record's id in a message's body.

    Raises NewerMessage for an object that this release does not understand, ValueError for what no
    release has sent.
    """
    content = read_object(original(body)[0])
    found = content.get("call")
    if isinstance(found, str) and is_record_id(found):
        return found
    if isinstance(found, str) and content.get("v", VERSION) == VERSION:
        raise ValueError("no record has that id")
    raise NewerMessage("a later release sent this message")


def put_back(body: str) -> tuple[str, timedelta]:
    """The body and the delay with which a message that is not understood is sent again.

    Raises ValueError once it has been put back for about a day.
    """
    first, times = original(body)
    times += 1
    if times > PUT_BACK_AT_MOST:
        raise ValueError("a message that no instance understands")
    again = {"v": VERSION, PUT_BACK: {"body": first, "times": times}}
    return json.dumps(again), min(FIRST_PAUSE * 2 ** min(times - 1, 10), LONGEST_PAUSE)


def original(body: str) -> tuple[str, int]:
    """The body that was first sent, and how often it has been put back. Raises ValueError."""
    content = read_object(body)
    if PUT_BACK not in content:
        return body, 0
    match content[PUT_BACK]:
        case {"body": str(first), "times": int(times)} if times >= 0:
            return first, times
    raise ValueError("not a message about a call")


def read_object(body: str) -> dict[str, Any]:
    """The JSON object in a body. Raises ValueError."""
    content = json.loads(body)
    if not isinstance(content, dict):
        raise ValueError("not a message about a call")
    return content
