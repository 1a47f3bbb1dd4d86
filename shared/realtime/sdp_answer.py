"""What `calls` replies to an offer, read as untrusted. Pure."""

from __future__ import annotations

from shared.realtime.call_ids import call_id_from_location
from shared.upstream.answer import (
    Answer,
    NoCallBegun,
    UnusableAnswer,
    is_definite_refusal,
    without_call,
)
from shared.upstream.error_mapping import refusal_problem
from shared.upstream.refusal_row import OFFER
from shared.upstream.transport import Reply


def read_answer(reply: Reply) -> Answer:
    """The answer in a 201 (text/plain from both providers, recorded).

    Raises Problem for a refusal (NoCallBegun where that leaves no doubt), UnusableAnswer for an
    answer that starts a call of no use.
    """
    if not 200 <= reply.status < 300:
        problem = refusal_problem(reply, on=OFFER)
        raise NoCallBegun.because_of(problem) if is_definite_refusal(reply) else problem
    call_id = call_id_from_location(reply.headers.get("Location", ""))
    if call_id is None:
        raise UnusableAnswer(None, without_call())
    if reply.status not in (200, 201):
        raise UnusableAnswer(call_id, without_call())
    if reply.broken is not None:
        raise UnusableAnswer(call_id, reply.broken)
    try:
        sdp = reply.body.decode()
    except UnicodeDecodeError:
        raise UnusableAnswer(call_id, without_call()) from None
    if not sdp.startswith("v=0"):
        raise UnusableAnswer(call_id, without_call())
    return Answer(sdp, call_id)
