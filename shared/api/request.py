"""A request in plain values: headers, JSON, and the offer, raw or in a multipart form."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import azure.functions as func

from shared.core.json_reader import read_json
from shared.core.problems import Problem
from shared.upstream.sdp import MAX_OFFER_BYTES

REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
MULTIPART_OVERHEAD = 4096  # bytes for boundaries and part headers around one offer
MAX_JSON_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request, in plain values. Header names are lower-case, see `read_request`.

    `trailing_slash`: the path ends with one, which the host takes for the same route and a client
    for one level more.
    """

    method: str
    query: Mapping[str, str]
    route: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    form: Callable[[], Mapping[str, bytes]] = field(repr=False)
    request_id: str
    trailing_slash: bool = False

    def json(self) -> Any:
        """The body as JSON. Raises Problem broken_body."""
        if len(self.body) > MAX_JSON_BYTES:
            raise Problem("broken_body", "The body is too large.")
        try:
            return read_json(self.body)
        except ValueError:
            raise Problem("broken_body", "The body is not JSON.") from None

    def offer(self) -> bytes:
        """The SDP offer, from a raw body or from the form field `sdp`. Raises `Problem`."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not self.body:
            raise Problem("missing_offer")
        if kind == "multipart/form-data":
            if len(self.body) > MAX_OFFER_BYTES + MULTIPART_OVERHEAD:
                raise Problem("offer_too_large")
            fields = self.form()
            if not fields:
                raise Problem("broken_body")
            return fields.get("sdp", b"")
        if kind not in ("application/sdp", "text/plain"):
            raise Problem("unsupported_content_type")
        return self.body


def read_request(request: func.HttpRequest) -> Request:
    """Reads the framework's request; the form is parsed only when it is asked for.

    Header names are lower-cased here, once. A repeated header arrives as one value, joined with
    commas in the order sent: the host has one value per name (seen under Microsoft's host; the
    local host does the same). It stays joined. X-Forwarded-For is a list, and is read as one; any
    other header we read takes a single value, and each of its readers refuses or ignores a value
    with a comma in it. So a second header never replaces the first: a repeated principal or token
    is `invalid_credentials`, a repeated Origin or Sec-Fetch-Site `origin_not_allowed`, a repeated
    Content-Type `unsupported_content_type`, and a repeated X-Request-Id is replaced.
    """
    headers = {name.lower(): value for name, value in request.headers.items()}

    def form() -> Mapping[str, bytes]:
        try:
            fields = {name: value.encode() for name, value in request.form.items()}
            for name, part in request.files.items():
                with contextlib.closing(part):
                    fields[name] = part.read()
        except (ValueError, LookupError):
            return {}
        return fields

    given = headers.get("x-request-id", "")
    return Request(
        method=request.method or "GET",
        query=request.params,
        route=request.route_params,
        headers=headers,
        body=request.get_body() or b"",
        form=form,
        request_id=given if REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}",
        trailing_slash=urlsplit(request.url or "").path.endswith("/"),
    )
