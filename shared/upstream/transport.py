"""One request to the model's endpoint, and the one seam where its failures become problems.

Upstream's words are read for their code and dropped: they may quote the request. Azure's gateway
sends `code` and `message` alone, OpenAI `type` and `param` too, some 400 nothing: read leniently.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from shared.core import logs
from shared.core.deadline import Deadline
from shared.core.problems import Problem

if TYPE_CHECKING:
    import requests
    from urllib3 import HTTPConnectionPool

LARGEST_REPLY = 256 * 1024  # bytes; a session echoed at minting has a few KiB


class Timeouts(Protocol):
    @property
    def connect(self) -> timedelta: ...
    @property
    def read(self) -> timedelta: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What upstream answered."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> dict[str, Any]:
        """The body as an object; {} if it is none."""
        try:
            content = json.loads(self.body)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}


def pool_of(session: requests.Session, url: str) -> HTTPConnectionPool:
    """The connections that `session` keeps for the host of `url`, its proxy and CA bundle included.

    One request costs half as much on them as through the session (docs/performance.md), and no
    cookie of one caller's answer goes out with the next caller's request.
    """
    import requests
    from urllib3 import HTTPConnectionPool

    from shared.upstream.single_write import use_single_writes

    adapter = session.get_adapter(url)
    assert isinstance(adapter, requests.adapters.HTTPAdapter)
    pool = adapter.get_connection_with_tls_context(
        requests.Request("POST", url).prepare(), session.verify, session.proxies, session.cert
    )
    assert isinstance(pool, HTTPConnectionPool)
    use_single_writes(pool)
    return pool


def send(
    pool: HTTPConnectionPool,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    patience: Timeouts,
    deadline: Deadline,
) -> Reply:
    """One POST inside the deadline. Raises Problem upstream_unreachable or upstream_timeout."""
    import urllib3
    from urllib3 import exceptions

    try:
        response = pool.urlopen(
            "POST",
            "/" + url.split("/", 3)[3],
            body,
            headers,
            retries=False,
            redirect=False,
            timeout=urllib3.Timeout(
                connect=deadline.within(patience.connect), read=deadline.within(patience.read)
            ),
            preload_content=False,
        )
        try:
            content = bytearray()
            # The read timeout is per read: a body that dribbles is held against the deadline too.
            for chunk in response.stream(16 * 1024, decode_content=True):
                content += chunk
                if len(content) > LARGEST_REPLY:
                    raise Problem("upstream_failed", "The model's endpoint answers without end.")
                if not deadline.remaining:
                    raise Problem("upstream_timeout")
            return Reply(response.status, response.headers, bytes(content))
        except BaseException:
            # What is left of an answer must not be taken for the next one.
            response.close()
            raise
        finally:
            response.release_conn()
    except exceptions.NewConnectionError as error:
        raise unreachable(error) from None
    except exceptions.TimeoutError:
        raise Problem("upstream_timeout") from None
    except exceptions.HTTPError as error:
        raise unreachable(error) from None


def unreachable(error: Exception) -> Problem:
    logs.event("upstream unreachable", cause=type(error).__name__)
    return Problem("upstream_unreachable")
