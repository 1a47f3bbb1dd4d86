"""Pooled keep-alive HTTP sessions, and the transport of Azure's SDKs over them.

Everything that they send keeps to the terms of the thread that sends it (shared/core/exchange.py).
`requests` is imported at the first use: the app is indexed without it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests
    from azure.core.pipeline.transport import RequestsTransport

POOLED_CONNECTIONS = 256
"""Kept open to one host: one for each thread of a worker."""
REQUEST_ID = "x-ms-client-request-id"


def authorities() -> str | None:
    """The CA bundle that the environment names, found as requests does it; None if none."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")


def open_session(endpoint: str) -> requests.Session:
    """A pooled keep-alive session for `endpoint`.

    The environment's proxy and CA bundle are read once, here. By default requests reads them for
    each request, and ~/.netrc too, which would replace the Authorization header.
    """
    import requests
    from requests.utils import get_environ_proxies

    from shared.core.pools import bound_session

    session = requests.Session()
    session.trust_env = False
    session.proxies.update(get_environ_proxies(endpoint))
    session.verify = authorities() or True
    bound_session(session, connections=POOLED_CONNECTIONS)
    return session


def refuse_odd_answer(answer: requests.Response, **_: Any) -> None:
    """Before an SDK reads an answer. Raises RequestException for one that it must not act upon.

    The SDKs follow redirects to any host, and unpack compressed bodies whatever their size: none of
    Azure's services that are used here sends either. Storage sends each request's id back.
    """
    import requests

    sent = answer.request.headers.get(REQUEST_ID)
    if reason := oddity(answer.status_code, answer.headers, sent):
        answer.close()
        raise requests.RequestException(reason)


def oddity(status: int, headers: Mapping[str, str], sent: str | None) -> str:
    """Why an answer to the request with the id `sent` must not be acted upon; "" for a usual
    one."""
    if 300 <= status < 400 and "Location" in headers:
        return "a redirect"
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        return "a compressed body, which was not asked for"
    if sent is not None and headers.get(REQUEST_ID, sent) != sent:
        return "the answer to another request"
    return ""


def open_transport(
    *, connect: timedelta, read: timedelta, connections: int = POOLED_CONNECTIONS
) -> RequestsTransport:
    """A transport for clients of Azure's SDKs. `read` is the timeout for the next bytes."""
    import requests
    from azure.core.pipeline.transport import RequestsTransport

    from shared.core.exchange import TERMS
    from shared.core.pools import bound_session

    class BoundedTransport(RequestsTransport):  # type: ignore[misc]
        """Sleeps no longer than the deadline: an SDK sleeps as long as a Retry-After says."""

        def sleep(self, duration: float) -> None:
            deadline = TERMS.get().deadline
            left = duration if deadline is None else deadline.seconds_left
            time.sleep(max(0.0, min(duration, left)))

    session = requests.Session()
    session.headers["Accept-Encoding"] = "identity"
    session.hooks["response"].append(refuse_odd_answer)
    bound_session(session, connections=connections)
    return BoundedTransport(
        session=session,
        session_owner=False,
        connection_timeout=connect.total_seconds(),
        read_timeout=read.total_seconds(),
    )
