"""Outputs of tools over connections that are lost."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.observer.realtime.response_tracker import ResponseTracker
from shared.observer.realtime.run_context import RealtimeContext
from shared.observer.realtime.tool_outputs import ToolOutputs
from shared.sideband.sideband import SidebandClosed


class Connection:
    """Takes as many events as `takes` says, then is closed."""

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.sent: list[Mapping[str, Any]] = []

    async def send_event(self, event: Mapping[str, Any]) -> None:
        if not self.takes:
            raise SidebandClosed(1006, clean=False)
        self.takes -= 1
        self.sent.append(event)


def outputs_over(connection: Connection) -> ToolOutputs:
    context = SimpleNamespace(
        connection=connection,
        recorder=SimpleNamespace(add_own_item=lambda *_: None),
        background=SimpleNamespace(call_later=lambda *_: None),
        lease=SimpleNamespace(is_good=True),
        send_in_background=lambda _: None,
    )
    return ToolOutputs(cast(RealtimeContext, context), ResponseTracker(), set())


async def test_no_output_is_lost_with_a_connection_that_closes_in_the_middle() -> None:
    connection = Connection(takes=0)
    outputs = outputs_over(connection)
    for name in "abc":
        await outputs.send_output(name, "{}")
    connection.takes = 1
    with pytest.raises(SidebandClosed):
        await outputs.send_unsent_outputs()
    connection.takes = 5
    await outputs.send_unsent_outputs()
    assert [event["item"]["call_id"] for event in connection.sent] == ["a", "b", "c"]
