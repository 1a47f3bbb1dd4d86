"""Connections over TLS share what is slow to load, and still verify the other end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import certifi
import pytest
import urllib3
from urllib3.exceptions import SSLError

from shared.core import tls_contexts
from shared.core.connections import BoundedTLSConnection, Freshness
from shared.core.tls_contexts import verifying_context


def test_authorities_are_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_contexts, "CONTEXTS", {})
    first = verifying_context(certifi.where())
    assert verifying_context(certifi.where()) is first
    assert first.get_ca_certs()
    assert verifying_context(None) is not first


def test_a_file_that_holds_no_authority_is_an_error_of_tls(tmp_path: Path) -> None:
    with pytest.raises(SSLError):
        verifying_context(str(tmp_path / "missing.pem"))


def test_what_would_change_the_context_is_not_shared() -> None:
    def connection(**options: Any) -> BoundedTLSConnection:
        defaults: dict[str, Any] = {"cert_reqs": "CERT_REQUIRED", "freshness": Freshness()}
        return BoundedTLSConnection("localhost", 1, **{**defaults, **options})

    assert connection().may_share_context
    assert not connection(cert_reqs="CERT_NONE").may_share_context
    assert not connection(cert_file="own.pem").may_share_context
    tls, plain = (urllib3.util.parse_url(f"{each}://proxy:1") for each in ("https", "http"))
    assert not connection(proxy=tls).may_share_context
    assert connection(proxy=plain).may_share_context
