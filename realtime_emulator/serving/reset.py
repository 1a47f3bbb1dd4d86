"""Resets a TCP connection, as a middlebox does that no longer knows it."""

from __future__ import annotations

import asyncio
import socket
import struct

ABORTIVE_CLOSE = struct.pack("ii", 1, 0)


def reset_connection(transport: asyncio.BaseTransport | None) -> None:
    """Closes `transport` with an RST. What it has not sent yet is lost. May be repeated."""
    if not isinstance(transport, asyncio.Transport) or transport.is_closing():
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTIVE_CLOSE)
    transport.abort()
