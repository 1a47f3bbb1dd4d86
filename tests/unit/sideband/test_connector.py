from __future__ import annotations

import asyncio
import gc

import pytest

from shared.core.problems import Problem
from shared.realtime.sideband_contract import REALTIME_SIDEBAND
from shared.sideband.connector import SidebandConnector
from shared.sideband.sideband import Sideband, SidebandUnavailable


def realtime_connector(base: str) -> SidebandConnector:
    return SidebandConnector(base, dict, REALTIME_SIDEBAND)


def test_all_connections_share_one_tls_context() -> None:
    connector = realtime_connector("https://a.openai.azure.com/openai/v1/realtime")
    shared = connector.tls_context()
    assert shared is not None
    assert connector.tls_context() is shared
    assert shared.check_hostname


def test_without_tls_there_is_none() -> None:
    assert realtime_connector("http://127.0.0.1:1/openai/v1/realtime").tls_context() is None


def test_an_event_loop_that_is_over_is_not_kept() -> None:
    """An admin's event is sent on a loop of its own, and so is the end of a session."""
    connector = realtime_connector("http://127.0.0.1:1/openai/v1/realtime")

    def no_headers() -> dict[str, str]:
        raise Problem("credential_unavailable")

    async def dial() -> Sideband:
        return await connector("rtc_1")

    with pytest.raises(SidebandUnavailable):
        asyncio.run(dial())
    connector.headers = no_headers
    with pytest.raises(Problem):
        asyncio.run(dial())
    gc.collect()
    assert not connector.queues
