"""Stands in for an endpoint that the settings do not name any more, while its calls still run.

Nobody can reach those calls, so nothing proves their end but their age: they count until no call
can be that old. An endpoint with weight 0 takes no new calls and keeps its running ones, which is
how to take one away (docs/endpoints.md).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from shared.calls.voice_client import VoiceClients
from shared.config.settings import LONGEST_CALL
from shared.config.voice_api import LIVE, REALTIME, VoiceApi
from shared.core import logs
from shared.core.deadline import Deadline
from shared.core.problems import Problem
from shared.live import client as live_client
from shared.sideband.sideband import Connect, Sideband, SidebandUnavailable
from shared.upstream.answer import Answer
from shared.upstream.hang_up_reply import HangUpReply

OVER_AT: Mapping[VoiceApi, timedelta] = {
    REALTIME: LONGEST_CALL + timedelta(minutes=10),
    LIVE: live_client.OVER_AT,
}
"""The service ends a Realtime call after an hour; the rest is for clocks that differ."""
FORBIDDEN = 403
"""What an observer is told, which does not dial again for a while."""


class RemovedEndpoint:
    """The calls of one API at that endpoint."""

    def __init__(self, name: str, over_at: timedelta) -> None:
        self.name = name
        self.over_at = over_at

    def start_call(self, *_: Any, **__: Any) -> Answer:
        """No call is started here. Raises Problem endpoint_removed."""
        raise Problem("endpoint_removed")

    def hang_up(self, call_id: str, deadline: Deadline) -> HangUpReply:  # noqa: ARG002
        """Proves nothing but of a call that is older than any can be."""
        tell_removed(self.name)
        return HangUpReply(0, over_at=self.over_at, problem="endpoint_removed")


def removed_clients(name: str) -> VoiceClients:
    """What ends the calls of an endpoint that was removed."""
    return {api: RemovedEndpoint(name, over_at) for api, over_at in OVER_AT.items()}


def removed_connects(name: str) -> Mapping[VoiceApi, Connect]:
    """What dials their sidebands."""

    async def connect(_: str) -> Sideband:
        tell_removed(name)
        raise SidebandUnavailable(FORBIDDEN, problem="endpoint_removed")

    return dict.fromkeys(OVER_AT, connect)


def tell_removed(name: str) -> None:
    """For whoever reads the log: which endpoint to put back until its calls are over."""
    logs.event("endpoint removed", logging.WARNING, endpoint=name, setting="REALTIME_ENDPOINTS")
