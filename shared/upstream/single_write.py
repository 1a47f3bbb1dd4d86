"""The HTTP connections to the model's endpoint: each request goes out in one piece.

urllib3 sends head and body by themselves: two TLS records, two system calls, and two times that a
thread gives the interpreter away and waits for it. Made in one piece, a `/connect` took a seventh
less processor time at 64 callers (docs/performance.md).
"""

from __future__ import annotations

from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class SingleWriteConnection(HTTPConnection):
    """Gathers what a request sends, and sends it at its end."""

    gathered: bytearray | None = None

    def request(self, *arguments: Any, **options: Any) -> None:
        """As urllib3's. Raises what sending raises."""
        self.gathered = whole = bytearray()
        try:
            super().request(*arguments, **options)
        finally:
            self.gathered = None
        super().send(whole)

    def send(self, data: Any) -> None:
        """As http.client's; the request to a proxy, which comes before, is sent as it is."""
        if self.gathered is None:
            super().send(data)
        else:
            self.gathered += data


class SingleWriteTLSConnection(SingleWriteConnection, HTTPSConnection):
    """The same, over TLS."""


def use_single_writes(pool: HTTPConnectionPool) -> None:
    """Lets the connections that `pool` makes from now on do so."""
    tls = isinstance(pool, HTTPSConnectionPool)
    pool.ConnectionCls = SingleWriteTLSConnection if tls else SingleWriteConnection
