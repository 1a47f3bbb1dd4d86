from __future__ import annotations

from shared.realtime.sideband import SidebandConnector


def test_all_connections_share_one_tls_context() -> None:
    dialler = SidebandConnector("https://a.openai.azure.com/openai/v1/realtime", dict)
    shared = dialler.tls()
    assert shared is not None
    assert dialler.tls() is shared
    assert shared.check_hostname


def test_without_tls_there_is_none() -> None:
    assert SidebandConnector("http://127.0.0.1:1/openai/v1/realtime", dict).tls() is None
