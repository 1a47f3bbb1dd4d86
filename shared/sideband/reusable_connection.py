"""A connection that outlives the dial that it was made for, where that is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from websockets.asyncio import client
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from shared.sideband.long_frames import LongFrameReader

Keep = Callable[[asyncio.Transport], bool]
"""Takes a transport for the next dial; False if none waits."""


class DetachedTransport(asyncio.Transport):
    """In the place of the transport of a connection that another one has taken over."""

    def is_closing(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        """There is nothing to close."""

    abort = close


DETACHED = DetachedTransport()


def is_kept_alive(response: Response) -> bool:
    """Whether another request may follow. The response has been read to its end."""
    told = ",".join(response.headers.get_all("Connection")).lower()
    is_bounded = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
    return is_bounded and "close" not in told


class ReusableConnection(client.ClientConnection):
    """Gives its transport to `keep` where its dial is refused and the transport is of use still."""

    keep: Keep | None = None

    def send_data(self) -> None:
        refusal, keep = self.protocol.handshake_exc, self.keep
        if keep is not None and isinstance(refusal, InvalidStatus):
            self.keep, reader = None, self.protocol.reader
            assert isinstance(reader, LongFrameReader)
            is_of_use = is_kept_alive(refusal.response) and not reader.has_discarded
            if is_of_use and keep(self.transport):
                # What the library would do now is close it.
                self.protocol.data_to_send()
                self.transport = DETACHED
                return
        super().send_data()
