"""One request to the model's endpoint, and the one seam where its failures become problems.

Upstream's words are read for their code and dropped: they may quote the request. Azure's gateway
sends `code` and `message` alone, OpenAI `type` and `param` too, some 400 nothing: read leniently.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol

from shared import logs
from shared.deadlines import Deadline
from shared.problems import Problem

if TYPE_CHECKING:
    import requests
    from urllib3 import HTTPConnectionPool

LARGEST_REPLY = 256 * 1024  # bytes; a session echoed at minting has a few KiB
WORD = re.compile(r"[A-Za-z0-9_.\[\]-]{1,100}")


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

    from shared.connections import send_in_one_piece

    adapter = session.get_adapter(url)
    assert isinstance(adapter, requests.adapters.HTTPAdapter)
    pool = adapter.get_connection_with_tls_context(
        requests.Request("POST", url).prepare(), session.verify, session.proxies, session.cert
    )
    assert isinstance(pool, HTTPConnectionPool)
    send_in_one_piece(pool)
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


def trouble(reply: Reply, *, sent_offer: bool = False) -> Problem:
    """What a refusal of upstream means for the caller; its status and code go to the log."""
    error = reply.json().get("error")
    error = error if isinstance(error, dict) else {}
    code, field_name = word(error.get("code")), word(error.get("param"))
    said = str(error.get("message", ""))
    logs.event("upstream refused", status=reply.status, upstream_code=code, field=field_name)
    name = meaning(reply.status, code, said, sent_offer)
    if name == "upstream_quota":
        return Problem(name, retry_after=retry_after(reply.headers) or timedelta(seconds=10))
    return Problem(name)


def meaning(status: int, code: str, said: str, sent_offer: bool) -> str:
    """The problem code for an upstream status, error code and message."""
    if code == "DeploymentNotFound":
        return "deployment_not_found"
    # The service's own spelling has two p.
    if code in ("OpperationNotSupported", "OperationNotSupported"):
        return "not_a_realtime_model"
    if code == "model_not_found":
        return "deployment_not_found"
    if status == 429:
        return "upstream_quota"
    if status == 401:
        return "upstream_access_denied"
    if status == 403:
        return "upstream_region" if "region" in said.lower() else "upstream_access_denied"
    if status == 404:
        return "deployment_not_found" if not sent_offer else "upstream_failed"
    if status == 400:
        return "offer_refused" if sent_offer else "profile_refused"
    if status in (408, 504):
        return "upstream_timeout"
    return "upstream_failed"


def word(value: object) -> str:
    """`value` if it is a plain code word, so that no sentence of upstream's reaches the log."""
    return value if isinstance(value, str) and WORD.fullmatch(value) else ""


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """The Retry-After header, in seconds or as a date; also `retry-after-ms`. None if unusable."""
    for name, unit in (("retry-after-ms", 0.001), ("Retry-After", 1.0)):
        value = headers.get(name, "")
        try:
            return timedelta(seconds=max(0.0, float(value) * unit))
        except (ValueError, OverflowError):
            continue
    try:
        when = parsedate_to_datetime(headers.get("Retry-After", ""))
    except ValueError:
        return None
    return max(timedelta(0), when.astimezone(UTC) - datetime.now(UTC))
