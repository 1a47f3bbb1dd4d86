"""Dials the sideband of a call, when it is its turn."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from weakref import WeakKeyDictionary

from shared.core.blocking import run_blocking
from shared.sideband.contract import SidebandContract
from shared.sideband.dial_queue import DialQueue
from shared.sideband.sideband import USUAL_TIMEOUTS, Sideband, SidebandUnavailable, Timeouts


class SidebandConnector:
    """A `Connect` for the API whose REST base is `base` (`https://…/openai/v1/realtime`), and whose
    sideband is as `contract` says.

    `headers` gives the headers that authenticate us; it may block and raise, so it is called on
    `executor`. `authorities` is a file or folder of certificates to trust instead of the machine's
    own. `name` is what the log calls the endpoint.
    """

    def __init__(
        self,
        base: str,
        headers: Callable[[], Mapping[str, str]],
        contract: SidebandContract,
        *,
        timeouts: Timeouts = USUAL_TIMEOUTS,
        executor: Executor | None = None,
        authorities: str | None = None,
        name: str = "",
    ) -> None:
        self.name = name
        scheme, _, rest = base.partition("://")
        self.base = f"{'wss' if scheme == 'https' else 'ws'}://{rest}"
        self.headers = headers
        self.contract = contract
        self.authorities = authorities
        self.lock = threading.Lock()
        self.context: ssl.SSLContext | None = None
        self.queues: WeakKeyDictionary[asyncio.AbstractEventLoop, DialQueue] = WeakKeyDictionary()
        self.timeouts = timeouts
        self.executor = executor

    async def __call__(self, call_id: str) -> Sideband:
        loop = asyncio.get_running_loop()
        queue = self.dial_queue(loop)
        headers, tls = await queue.prepare(
            lambda: run_blocking(self.executor, lambda: (self.headers(), self.tls_context()))
        )
        # Imported here because `websockets` takes time to import, which a cold start lacks.
        from shared.sideband.websocket_sideband import connect_websocket

        url = self.base + self.contract.suffix(call_id)
        async with queue.turn(call_id):
            sideband = await connect_websocket(
                url,
                headers,
                self.contract,
                tls,
                self.timeouts,
                endpoint=self.name,
                idle=queue.idle,
            )
        queue.connected[call_id] = sideband
        return sideband

    def dial_queue(self, loop: asyncio.AbstractEventLoop) -> DialQueue:
        """Each loop has its own: an admin's event is sent on a loop that lives no longer than
        that."""
        with self.lock:
            if loop not in self.queues:
                self.queues[loop] = DialQueue()
            return self.queues[loop]

    def tls_context(self) -> ssl.SSLContext | None:
        """One context for all connections; None without TLS.

        By default the library makes one for each connection: that reads every certificate authority
        of the machine again, takes 2 MiB per call, and blocks the event loop (docs/performance.md).
        """
        if not self.base.startswith("wss:"):
            return None
        with self.lock:
            if self.context is None:
                folder = self.authorities is not None and Path(self.authorities).is_dir()
                self.context = ssl.create_default_context(
                    cafile=None if folder else self.authorities,
                    capath=self.authorities if folder else None,
                )
            return self.context


async def no_sideband(_: str) -> Sideband:
    """A `Connect` for an endpoint that serves no sideband (REALTIME_SIDEBAND_ENDPOINT=off)."""
    raise SidebandUnavailable(problem="sideband_not_served")
