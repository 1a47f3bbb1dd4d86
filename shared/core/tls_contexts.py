"""The TLS contexts of this process: one for each set of authorities, shared by all connections.

urllib3 makes one for each connection. With the public authorities that takes 15 ms of processor
time and 2 MiB that live as long as the connection (docs/performance.md).
"""

from __future__ import annotations

import ssl
import threading

from urllib3.exceptions import SSLError
from urllib3.util.ssl_ import create_urllib3_context

LOCK = threading.Lock()
CONTEXTS: dict[tuple[str | None, str | None], ssl.SSLContext] = {}
"""By file and folder of the authorities; as few as there are settings that name some."""


def verifying_context(authorities: str | None, folder: str | None = None) -> ssl.SSLContext:
    """What verifies the other end against the authorities in a file or a folder, or against the
    system's without either. Raises urllib3's SSLError if they cannot be read."""
    with LOCK:
        found = CONTEXTS.get((authorities, folder))
        if found is None:
            found = CONTEXTS[authorities, folder] = open_context(authorities, folder)
        return found


def open_context(authorities: str | None, folder: str | None) -> ssl.SSLContext:
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    if authorities is None and folder is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(authorities, folder)
    except OSError as error:
        raise SSLError(error) from error
    return context
