"""One request to the model's endpoint over a pooled connection, within a deadline.

Network failures become problems here, refusals in upstream/error_mapping.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.core import logs
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.core.http_session import POOLED_CONNECTIONS
from shared.core.json_reader import read_object
from shared.core.plain_request import Request
from shared.core.plain_response import PlainResponse
from shared.core.problems import Problem

if TYPE_CHECKING:
    import requests
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

MAX_REPLY_BYTES = 256 * 1024  # a session echoed at minting has a few KiB
MOST_BYTES = 2 * MAX_REPLY_BYTES
"""Of a response as it arrives, its head, chunk lines and trailers included: urllib3 reads all that
follows a chunk of size -1 at once."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Timeouts and retries of requests to the endpoint. `read` is for a response's next bytes."""

    connect: timedelta = timedelta(seconds=5)
    read: timedelta = timedelta(seconds=15)
    backoff: timedelta = timedelta(milliseconds=200)  # doubles with each retry
    tries: int = 4


USUAL_TIMEOUTS = Timeouts()
UNREACHABLE = {
    "NameResolutionError": "The name of the model's endpoint is not in DNS.",
    "ProxyError": "The proxy does not connect to the model's endpoint.",
    "SSLError": "The certificate of the model's endpoint is not trusted (REQUESTS_CA_BUNDLE).",
}
"""What a reader is told of some causes, by the name of urllib3's exception."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Upstream's response. `broken` says why the body, which is empty then, could not be read: what
    the status says has happened all the same. `secrets` are the credentials that were sent, which
    its text may quote. `endpoint` is the name of the endpoint, for the log."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    broken: Problem | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    endpoint: str = ""

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; {} if it is not one."""
        return read_object(self.body)


def connection_pool(session: requests.Session, url: str) -> HTTPConnectionPool:
    """The connections that `session` pools for the host of `url`, with its proxy and CA bundle.

    A request costs half as much on the pool as through the session (docs/performance.md), and no
    cookie from one caller's response is sent with the next caller's request.
    """
    import requests
    from urllib3 import HTTPConnectionPool

    from shared.core.pools import BoundedAdapter, bound_session

    if not isinstance(session.get_adapter(url), BoundedAdapter):
        bound_session(session, connections=POOLED_CONNECTIONS)
    adapter = session.get_adapter(url)
    assert isinstance(adapter, BoundedAdapter)
    pool = adapter.get_connection_with_tls_context(
        requests.Request("POST", url).prepare(), session.verify, session.proxies, session.cert
    )
    assert isinstance(pool, HTTPConnectionPool)
    return pool


def post_request(
    pool: HTTPConnectionPool,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    timeouts: Timeouts,
    deadline: Deadline,
    *,
    repeatable: bool = False,
    when_lost: Callable[[str], None] = lambda _: None,
    endpoint: str = "",
) -> Reply:
    """One POST, over by the deadline whatever upstream sends, and how slowly. `endpoint` is what
    the log calls the other end.

    `repeatable` says that it may arrive twice, and that the caller repeats it: then a pooled
    connection gets half of the time to answer, and what is sent next uses a fresh one. A request
    that did not leave in full is sent again here, once.

    Raises Problem upstream_unreachable or upstream_timeout until the response's head is there; what
    befalls its body is `Reply.broken`. `when_lost` is told the problem's code if the request has
    left: then it may have been acted upon.
    """
    from shared.core.pools import send_request

    try:
        with (
            network_problems(deadline, endpoint),
            exchange_terms(
                deadline, repeatable=repeatable, repeated_by_caller=True, most_bytes=MOST_BYTES
            ) as progress,
        ):
            response = send_request(
                pool,
                Request(
                    "POST",
                    "/" + url.split("/", 3)[3],
                    body,
                    headers,
                    connect_timeout=deadline.within(timeouts.connect),
                    read_timeout=deadline.within(timeouts.read),
                ),
            )
    except Problem as problem:
        if progress.sent:
            when_lost(problem.code)
        raise
    return read_reply(response, sent_secrets(headers), deadline, endpoint)


def read_reply(
    response: BaseHTTPResponse | PlainResponse,
    secrets: tuple[str, ...],
    deadline: Deadline,
    endpoint: str,
) -> Reply:
    """The reply to a request that had these credentials."""
    content, broken = b"", None
    try:
        with network_problems(deadline, endpoint):
            content = read_body(response)
    except Problem as problem:
        broken = problem
    return Reply(response.status, response.headers, content, broken, secrets, endpoint)


def sent_secrets(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The credentials in a request's headers, whatever the headers are called."""
    values = (value for name, value in headers.items() if name.lower() != "content-type")
    return tuple(value.removeprefix("Bearer ") for value in values)


def read_body(response: BaseHTTPResponse | PlainResponse) -> bytes:
    """The whole body; the connection goes back to its pool. Raises Problem upstream_failed for one
    that is huge."""
    content = bytearray()
    try:
        for chunk in response.stream(16 * 1024, decode_content=True):
            content += chunk
            if len(content) > MAX_REPLY_BYTES:
                raise Problem("upstream_failed", "The model's endpoint sent a huge response.")
    except BaseException:
        # The rest of this response must not be read as the next one.
        response.close()
        raise
    finally:
        response.release_conn()
    return bytes(content)


@contextmanager
def network_problems(deadline: Deadline, endpoint: str) -> Iterator[None]:
    """Raises what connections raise as a `Problem`."""
    from urllib3 import exceptions

    try:
        yield
    except exceptions.NewConnectionError as error:
        raise unreachable_problem(error, endpoint) from None
    except exceptions.TimeoutError:
        raise Problem("upstream_timeout") from None
    except (exceptions.HTTPError, OSError, ValueError) as error:
        if not deadline.remaining:
            raise Problem("upstream_timeout") from None
        raise unreachable_problem(error, endpoint) from None


def unreachable_problem(error: Exception, endpoint: str) -> Problem:
    cause = type(error).__name__
    logs.event("upstream unreachable", cause=cause, endpoint=endpoint)
    return Problem("upstream_unreachable", UNREACHABLE.get(cause))
