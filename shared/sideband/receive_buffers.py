"""The buffers that connections receive into. Those of one thread share them: what an event loop
receives is handled before it receives more."""

from __future__ import annotations

import threading

RECEIVED_AT_ONCE = 256 * 1024
ENCRYPTED_AT_ONCE = 64 * 1024
"""What is received over TLS is copied for the TLS library, which keeps that space."""
LARGEST_BACKLOG = 4 * 1024 * 1024
"""In bytes, of what waits to be sent. Every ping and every change of keys is answered, whether the
server reads the answers or not."""


class ThreadBuffers(threading.local):
    """One buffer a thread for what is received, and one for what is yet to be decrypted."""

    def __init__(self) -> None:
        self.received = bytearray(RECEIVED_AT_ONCE)
        self.received_view = memoryview(self.received)
        self.encrypted_view = memoryview(bytearray(ENCRYPTED_AT_ONCE))


BUFFERS = ThreadBuffers()
