from __future__ import annotations

from shared.realtime.sideband_contract import REALTIME_SIDEBAND
from shared.sideband.connector import SidebandConnector


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
