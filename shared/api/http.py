"""The HTTP edge: azure.functions requests and responses <-> plain values.

The only module that knows the framework. It reads a request, runs the blocking work on a thread of
our own pool, and turns every outcome into a response with the same headers. A `Problem` becomes
problem+json; any other exception becomes `internal_error`, with its cause in the log only.
"""

from __future__ import annotations

import contextlib
import contextvars
import gc
import json
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import azure.functions as func

from shared.api.bulkheads import READS, Bulkhead
from shared.core import logs
from shared.core.json_reader import read_json
from shared.core.problems import Problem
from shared.upstream.sdp import MAX_OFFER_BYTES

if TYPE_CHECKING:
    from shared.auth.origins import CrossOriginPolicy

# The host answers 404 with an empty body for a method that a route does not list. So every route
# takes all of them and answers 405 itself.
EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
MULTIPART_OVERHEAD = 4096  # bytes for boundaries and part headers around one offer
MAX_JSON_BYTES = 256 * 1024

# Garbage collection threshold, in objects. A waiting request has about a hundred: at Python's
# default of 700 the collector would scan all of them every few requests (docs/performance.md).
GC_THRESHOLD = 20_000

ALWAYS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}


def set_up() -> None:
    """Prepares this process for many requests that wait at once. Call it once, at load."""
    gc.set_threshold(GC_THRESHOLD)


@dataclass(frozen=True, slots=True)
class Request:
    """A request, in plain values. Header names are lower-case, see `read_request`."""

    method: str
    query: Mapping[str, str]
    route: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    form: Callable[[], Mapping[str, bytes]] = field(repr=False)
    request_id: str

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


@dataclass(frozen=True, slots=True)
class Response:
    """A response, in plain values."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(status: int, content: Mapping[str, Any]) -> Response:
    """`content` as JSON."""
    return Response(status, json.dumps(content).encode())


def csv_response(rows: Iterable[Mapping[str, Any]]) -> Response:
    """`rows` as a CSV file to save."""
    from shared.admin.usage_report import as_csv

    headers = {"Content-Disposition": 'attachment; filename="usage.csv"'}
    return Response(200, as_csv(rows).encode(), "text/csv", headers)


def problem_response(problem: Problem, request_id: str) -> Response:
    """The one shape of all refusals and failures."""
    body = json.dumps(problem.body(request_id)).encode()
    return Response(problem.status, body, "application/problem+json", problem.headers)


T = TypeVar("T")
Handler = Callable[[Request], Response]


async def answer_request(
    request: func.HttpRequest,
    context: func.Context,
    methods: tuple[str, ...],
    handler: Handler,
    *,
    origins: Callable[[], CrossOriginPolicy],
    on: Bulkhead = READS,
) -> func.HttpResponse:
    """Runs `handler` for a request with one of `methods`. Gives a response whatever happens.

    A request with one of `methods` runs on the threads of `on`, any other on those of `READS`.
    `origins` runs off the event loop too: the first call opens the broker, which takes a while.
    """
    began = time.monotonic()
    incoming = read_request(request)
    logs.REQUEST_ID.set(incoming.request_id)
    try:
        outgoing = await off_the_loop(
            context,
            lambda: run_handler(incoming, methods, handler, origins),
            on if incoming.method in methods else READS,
        )
        code = ""
    except Problem as problem:
        if problem.code == "instance_busy":
            # It did not get as far as the handler. A page must be able to read it all the same.
            cors = await READS.run(lambda: origins().response_headers(incoming.headers))
            problem.extra_headers |= cors
        outgoing, code = problem_response(problem, incoming.request_id), problem.code
    except Exception:
        logs.failure("request failed")
        failed = Problem("internal_error")
        outgoing, code = problem_response(failed, incoming.request_id), failed.code
    logs.event(
        "request",
        # The function's name, not the path: a path may contain a handle.
        function=context.function_name,
        method=incoming.method,
        status=outgoing.status,
        code=code,
        ms=round((time.monotonic() - began) * 1000),
    )
    return write_response(outgoing, incoming)


def run_handler(
    incoming: Request,
    methods: tuple[str, ...],
    handler: Handler,
    origins: Callable[[], CrossOriginPolicy],
) -> Response:
    """The handler's response or refusal, with the CORS headers for pages of listed origins."""
    allowed = origins()
    try:
        if incoming.method == "OPTIONS" and "access-control-request-method" in incoming.headers:
            return Response(204, headers=allowed.preflight_headers(incoming.headers))
        if incoming.method not in methods:
            raise Problem("method_not_allowed", headers={"Allow": ", ".join(methods)})
        outgoing = handler(incoming)
    except Problem as problem:
        problem.extra_headers |= allowed.response_headers(incoming.headers)
        raise
    except Exception as error:
        # Imported only now: the app would pay for it at every cold start.
        from shared.storage.interfaces import StorageUnavailable

        if not isinstance(error, StorageUnavailable):
            raise
        unavailable = Problem("storage_unavailable", retry_after=timedelta(seconds=5))
        unavailable.extra_headers |= allowed.response_headers(incoming.headers)
        raise unavailable from None
    cors = allowed.response_headers(incoming.headers)
    return replace(outgoing, headers={**outgoing.headers, **cors})


async def off_the_loop(context: func.Context, work: Callable[[], T], on: Bulkhead) -> T:
    """Runs `work` on a thread, with its log lines tied to this invocation."""
    storage = getattr(context, "thread_local_storage", None)
    copied = contextvars.copy_context()

    def tied() -> T:
        if storage is not None:
            # As Functions documents: otherwise lines logged on this thread lose the invocation.
            storage.invocation_id = context.invocation_id
        return copied.run(work)

    return await on.run(tied)


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
    )


def write_response(outgoing: Response, incoming: Request) -> func.HttpResponse:
    """The framework's response, with the headers that every response carries."""
    return func.HttpResponse(
        b"" if incoming.method == "HEAD" else outgoing.body,
        status_code=outgoing.status,
        headers={**ALWAYS, "X-Request-Id": incoming.request_id, **outgoing.headers},
        mimetype=outgoing.content_type,
        charset="utf-8",
    )
