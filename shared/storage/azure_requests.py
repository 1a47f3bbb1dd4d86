"""Requests to one service of a storage account, signed and sent without the SDK.

The SDK takes two milliseconds of processor time for each request, and most of that for what the
broker does not use (docs/adr/0018). What a start waits for is sent here: over the same pooled
connections and under the same terms, with the same checks of the answer. Everything else, such as
creating a table, is left to the SDK.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from shared.core.chance import CHANCE
from shared.core.http_session import REQUEST_ID, authorities, oddity
from shared.core.json_reader import read_json
from shared.core.plain_request import Request
from shared.storage.azure_retry import Timeouts, TransientFailure, refusal_error
from shared.storage.azure_signing import Signer, Target

if TYPE_CHECKING:
    import requests
    from urllib3 import HTTPConnectionPool

VERSION = "2019-02-02"
"""Of the service's contract: the one that the SDK asks tables for."""
XML_CODE = re.compile(rb"<(?:\w+:)?code>\s*(\w+)\s*<", re.IGNORECASE)
PIECE = 64 * 1024
NO_QUERY: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Answer:
    """Storage's answer to a request."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def code(self) -> str:
        """Storage's own code of an error; "" where there is none."""
        return self.headers.get("x-ms-error-code") or error_code_in(self.body)


def error_code_in(body: bytes) -> str:
    """The code in the body of an error, JSON or XML; "" for anything else."""
    if found := XML_CODE.search(body):
        return found[1].decode()
    try:
        return str(read_json(body)["odata.error"]["code"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""


class DirectService:
    """Sends requests to the service at `url`. `learn` is told the `Date` of each answer, and how
    long it took."""

    def __init__(
        self,
        url: str,
        signer: Signer,
        session: requests.Session,
        timeouts: Timeouts,
        learn: Callable[[Mapping[str, str], timedelta], None],
    ) -> None:
        address = urlsplit(url)
        self.origin = f"{address.scheme}://{address.netloc}"
        self.path = address.path.rstrip("/")
        self.signer = signer
        self.learn = learn
        self.pool = connection_pool(session, self.origin)
        # A proxy is told the whole address, except where it only passes TLS on.
        proxied = self.pool.proxy is not None and address.scheme == "http"
        self.prefix = self.origin if proxied else ""
        self.timeouts = timeouts

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        query: Mapping[str, str] = NO_QUERY,
        expected: int,
    ) -> Answer:
        """The answer to one request, whose status is `expected`. Raises StorageError for any other,
        and what connections raise."""
        target = Target(method, self.path + path, query, body)
        from urllib3.exceptions import HTTPError

        try:
            answer = self.exchange(target, headers)
            if answer.status == 401:
                challenge = answer.headers.get("WWW-Authenticate", "")
                if self.signer.renew(challenge):
                    answer = self.exchange(target, headers)
        except (HTTPError, OSError) as error:
            raise TransientFailure(type(error).__name__) from error
        if answer.status != expected:
            raise refusal_error(answer.status, answer.code)
        return answer

    def exchange(self, target: Target, headers: Mapping[str, str]) -> Answer:
        """One request and its answer. Raises TransientFailure for one that is none of storage's."""
        from shared.core.pools import send_request

        # No secret, and one of the system's random numbers costs a system call.
        request_id = str(uuid.UUID(int=CHANCE.getrandbits(128), version=4))
        signed = {
            "Accept-Encoding": "identity",
            "x-ms-version": VERSION,
            "x-ms-date": formatdate(usegmt=True),
            REQUEST_ID: request_id,
            **headers,
        }
        self.signer.sign(target, signed)
        began = time.monotonic()
        response = send_request(
            self.pool,
            Request(
                target.method,
                self.address(target),
                target.body or None,
                signed,
                connect_timeout=self.timeouts.connect.total_seconds(),
                read_timeout=self.timeouts.read.total_seconds(),
            ),
        )
        took = timedelta(seconds=time.monotonic() - began)
        try:
            if reason := oddity(response.status, response.headers, request_id):
                raise TransientFailure(reason)
            self.learn(response.headers, took)
            body = b"".join(response.stream(PIECE, decode_content=False))
        except BaseException:
            # What follows on this connection may be the rest of this answer.
            response.close()
            raise
        finally:
            response.release_conn()
        return Answer(response.status, response.headers, body)

    def address(self, target: Target) -> str:
        encoded = [f"{name}={quote(value, safe='')}" for name, value in target.query.items()]
        query = "&".join([*encoded, *([self.signer.query] if self.signer.query else [])])
        return f"{self.prefix}{target.path}{'?' if query else ''}{query}"


def connection_pool(session: requests.Session, origin: str) -> HTTPConnectionPool:
    """The connections that `session` pools for that host, with the environment's proxy and CA
    bundle, which are read once."""
    import requests
    from requests.utils import get_environ_proxies

    adapter: Any = session.get_adapter(origin)
    pool: HTTPConnectionPool = adapter.get_connection_with_tls_context(
        requests.Request("GET", origin).prepare(),
        authorities() or True,
        get_environ_proxies(origin),
        None,
    )
    return pool
