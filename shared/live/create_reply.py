"""What `POST …/live/sessions` replies, read as untrusted. Pure.

A session runs, and costs, from its 201 on. So every reply that is not a refusal names a session
that has to be ended, or one that nobody can end, because its id is not known.
"""

from __future__ import annotations

from typing import Any

from shared.live.session_ids import is_session_id
from shared.upstream.answer import (
    PASSED_ON,
    Answer,
    NoCallBegun,
    UnusableAnswer,
    is_definite_refusal,
    is_own_error,
    without_call,
)
from shared.upstream.error_mapping import refusal_problem
from shared.upstream.refusal_row import LIVE
from shared.upstream.transport import Reply

LONGEST_ANSWER = 128 * 1024
"""In characters; a recorded one has 1,700."""


def read_created(reply: Reply) -> Answer:
    """The answer and the session's id in a 201.

    Raises Problem for a refusal, UnusableAnswer for a session of no use: without its id where the
    reply does not name it.
    """
    if not 200 <= reply.status < 300:
        problem = refusal_problem(reply, on=LIVE)
        # Any other from 500 on that is not the endpoint's own comes from a gateway, too.
        if reply.status in PASSED_ON or (reply.status >= 500 and not is_own_error(reply)):
            raise UnusableAnswer(None, problem)
        raise NoCallBegun.because_of(problem) if is_definite_refusal(reply) else problem
    if reply.broken is not None:
        raise UnusableAnswer(None, reply.broken)
    content = reply.json()
    session_id = text_in(content, "session", "id")
    if not is_session_id(session_id):
        raise UnusableAnswer(None, without_call())
    sdp = text_in(content, "transport", "sdp")
    usable = reply.status in (200, 201) and sdp.startswith("v=0") and len(sdp) <= LONGEST_ANSWER
    if not usable:
        raise UnusableAnswer(session_id, without_call())
    return Answer(sdp, session_id)


def text_in(content: dict[str, Any], outer: str, name: str) -> str:
    """The text at `outer.name`; "" for anything else."""
    found = content.get(outer)
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""
