"""A client of a realtime token broker, for the back ends of voice pages and for tests.

    with Broker("https://talk.example.com", token=token) as broker:
        call = broker.start(offer)           # call.answer is for the page
        broker.hang_up(call.handle)

`AsyncBroker` is the same for asyncio. What goes wrong is a `Problem`.
"""

from __future__ import annotations

from realtime_client.async_client import AsyncAdmin, AsyncBroker, AsyncCallerToken
from realtime_client.client import Admin, Broker, CallerToken
from realtime_client.codes import (
    BROKER_UNREACHABLE,
    CLIENT_CODES,
    NO_ANSWER,
    UNEXPECTED_ANSWER,
    ProblemCode,
)
from realtime_client.models import (
    CallPage,
    CallRecord,
    CallSearch,
    CallStatus,
    Entry,
    Latency,
    RegisteredCall,
    StartedCall,
    Token,
    Transcript,
    TranscriptChange,
)
from realtime_client.problems import Problem
from realtime_client.version import __version__

__all__ = [
    "BROKER_UNREACHABLE",
    "CLIENT_CODES",
    "NO_ANSWER",
    "UNEXPECTED_ANSWER",
    "Admin",
    "AsyncAdmin",
    "AsyncBroker",
    "AsyncCallerToken",
    "Broker",
    "CallPage",
    "CallRecord",
    "CallSearch",
    "CallStatus",
    "CallerToken",
    "Entry",
    "Latency",
    "Problem",
    "ProblemCode",
    "RegisteredCall",
    "StartedCall",
    "Token",
    "Transcript",
    "TranscriptChange",
    "__version__",
]
