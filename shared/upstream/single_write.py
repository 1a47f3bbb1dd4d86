"""HTTP connections that send each request in one write.

urllib3 sends head and body separately: two TLS records, two system calls, and a thread releases and
reacquires the GIL twice. Sent in one write, a `/connect` took a seventh less processor time at 64
callers (docs/performance.md).
"""

from __future__ import annotations

from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class SingleWriteConnection(HTTPConnection):
    """Collects what a request sends and sends it at its end."""

    pending: bytearray | None = None

    def request(self, *arguments: Any, **options: Any) -> None:
        """As in urllib3. Raises what sending raises."""
        self.pending = whole = bytearray()
        try:
            super().request(*arguments, **options)
        finally:
            self.pending = None
        super().send(whole)

    def send(self, data: Any) -> None:
        """As in http.client; a CONNECT to a proxy, which comes first, is sent at once."""
        if self.pending is None:
            super().send(data)
        else:
            self.pending += data


class SingleWriteTLSConnection(SingleWriteConnection, HTTPSConnection):
    """The same, over TLS."""


def use_single_writes(pool: HTTPConnectionPool) -> None:
    """Makes the connections that `pool` opens from now on single-write ones."""
    tls = isinstance(pool, HTTPSConnectionPool)
    pool.ConnectionCls = SingleWriteTLSConnection if tls else SingleWriteConnection
