from __future__ import annotations

from shared.realtime.sideband_connector import SidebandConnector


def test_all_connections_share_one_tls_context() -> None:
    connector = SidebandConnector("https://a.openai.azure.com/openai/v1/realtime", dict)
    shared = connector.tls_context()
    assert shared is not None
    assert connector.tls_context() is shared
    assert shared.check_hostname


def test_without_tls_there_is_none() -> None:
    assert SidebandConnector("http://127.0.0.1:1/openai/v1/realtime", dict).tls_context() is None
