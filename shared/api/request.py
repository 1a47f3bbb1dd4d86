"""A request in plain values: headers, JSON, and the offer, raw or in a multipart form."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

import azure.functions as func

from shared.core.chance import CHANCE
from shared.core.json_reader import read_json
from shared.core.problems import Problem
from shared.upstream.sdp import MAX_OFFER_BYTES

REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
MULTIPART_OVERHEAD = 4096  # bytes for boundaries and part headers around one offer
MAX_JSON_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Query(Mapping[str, str]):
    """A query's parameters. Reading one of `repeated` raises Problem invalid_query: the host joins
    its values with commas, so no reader could tell which of them is meant."""

    values_by_name: Mapping[str, str]
    repeated: frozenset[str] = frozenset()

    def __getitem__(self, name: str) -> str:
        if name in self.repeated:
            raise Problem("invalid_query", f"{name}: expected once, and it is given several times.")
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


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
            return read_json(self.body.decode(json.detect_encoding(self.body)))
        except ValueError:
            raise self.body_problem("broken_body", "The body is not JSON.") from None

    def offer(self) -> bytes:
        """The SDP offer, from a raw body or from the form field `sdp`. Raises `Problem`."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not self.body:
            raise self.body_problem("missing_offer")
        if kind == "multipart/form-data":
            if len(self.body) > MAX_OFFER_BYTES + MULTIPART_OVERHEAD:
                raise Problem("offer_too_large")
            fields = self.form()
            if not fields:
                raise self.body_problem("broken_body")
            return fields.get("sdp", b"")
        if kind not in ("application/sdp", "text/plain"):
            several = "There are several Content-Type headers." if "," in kind else None
            raise Problem("unsupported_content_type", several)
        if self.is_encoded and b"v=0" not in self.body[:64]:
            raise self.body_problem("invalid_offer")
        return self.body

    @property
    def is_encoded(self) -> bool:
        """Whether the caller says that the body is compressed. The host hands it over as it is."""
        return self.headers.get("content-encoding", "identity").strip().lower() != "identity"

    def body_problem(self, code: str, detail: str | None = None) -> Problem:
        """The problem of a body that cannot be read, with the reason where the headers have it."""
        if not self.body and "transfer-encoding" in self.headers:
            return Problem(
                code,
                "There is no body: Azure Functions hands over none that is sent in chunks.",
                hint="Send the body with a Content-Length, not with Transfer-Encoding: chunked.",
            )
        if self.body and self.is_encoded:
            return Problem(
                code,
                "The body is compressed, and nothing before this app decompresses it.",
                hint="Send the body without a Content-Encoding.",
            )
        return Problem(code, detail)


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
        query=Query(request.params, repeated_names(request.url)),
        route=request.route_params,
        headers=headers,
        body=request.get_body() or b"",
        form=form,
        request_id=given if REQUEST_ID.fullmatch(given) else f"{CHANCE.getrandbits(128):032x}",
        trailing_slash=(request.url or "").partition("?")[0].endswith("/"),
    )


def repeated_names(url: str) -> frozenset[str]:
    """The parameters that a URL has more than once, in lower case: the host compares them so."""
    query = url.partition("?")[2]
    if "&" not in query:
        return frozenset()
    names = Counter(unquote_plus(part.partition("=")[0]).lower() for part in query.split("&"))
    return frozenset(name for name, times in names.items() if times > 1)
