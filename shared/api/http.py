"""azure.functions requests and responses <-> the broker's values.

The one place that knows the framework: it reads a request, runs the blocking work on a thread of
our own pool, and makes of every outcome a response with the same headers. A `Problem` becomes
problem+json; anything else that is raised becomes `internal_error`, its cause in the log alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import json
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

import azure.functions as func

from shared.auth.origins import CrossOriginPolicy
from shared.core import logs
from shared.core.problems import Problem
from shared.storage.interfaces import StorageUnavailable
from shared.upstream.sdp import MAX_OFFER_BYTES

# The host answers 404, without a word, for a method that a route does not name. So every route
# takes all of them and says 405 itself.
EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
MULTIPART_OVERHEAD = 4096  # bytes for boundaries and part headers around one offer

LARGEST_JSON = 256 * 1024  # bytes

# In objects. A waiting request has some hundred: after Python's 700, the collector would go through
# a crowd of them every few requests, for nothing (docs/performance.md).
COLLECTED_AFTER = 20_000

# Functions' own pool has a handful of threads by default; a call waits for upstream on one.
POOL = ThreadPoolExecutor(max_workers=256, thread_name_prefix="broker")

ALWAYS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}


def set_up() -> None:
    """Makes this process one that waits for many answers at once. Once, when the app loads."""
    gc.set_threshold(COLLECTED_AFTER)


@dataclass(frozen=True, slots=True)
class Request:
    """A request, in plain values. Header names are in small letters."""

    method: str
    query: Mapping[str, str]
    route: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    form: Callable[[], Mapping[str, bytes]] = field(repr=False)
    request_id: str

    def json(self) -> Any:
        """The body as JSON. Raises Problem broken_body."""
        if len(self.body) > LARGEST_JSON:
            raise Problem("broken_body", "The body is too large.")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
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
    """An answer, in plain values."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(status: int, content: Mapping[str, Any]) -> Response:
    """`content` as a JSON answer."""
    return Response(status, json.dumps(content).encode())


def csv_answer(rows: Iterable[Mapping[str, Any]]) -> Response:
    """`rows` as CSV, to be saved."""
    from shared.admin.usage_report import as_csv

    headers = {"Content-Disposition": 'attachment; filename="usage.csv"'}
    return Response(200, as_csv(rows).encode(), "text/csv", headers)


def problem_answer(problem: Problem, request_id: str) -> Response:
    """The one shape of every refusal and failure."""
    body = json.dumps(problem.body(request_id)).encode()
    return Response(problem.status, body, "application/problem+json", problem.headers)


T = TypeVar("T")
Handler = Callable[[Request], Response]


async def answer(
    request: func.HttpRequest,
    context: func.Context,
    methods: tuple[str, ...],
    handler: Handler,
    *,
    origins: Callable[[], CrossOriginPolicy],
) -> func.HttpResponse:
    """Runs `handler` for a request of one of `methods`; gives the response, whatever happens.

    `origins` are asked off the loop too: opening the broker takes its time.
    """
    began = time.monotonic()
    incoming = read(request)
    logs.REQUEST_ID.set(incoming.request_id)
    try:
        outgoing = await off_the_loop(context, lambda: handled(incoming, methods, handler, origins))
        code = ""
    except Problem as problem:
        outgoing, code = problem_answer(problem, incoming.request_id), problem.code
    except Exception:
        logs.failure("request failed")
        failed = Problem("internal_error")
        outgoing, code = problem_answer(failed, incoming.request_id), failed.code
    logs.event(
        "request",
        # The function's name and not the path: that may carry a handle.
        function=context.function_name,
        method=incoming.method,
        status=outgoing.status,
        code=code,
        ms=round((time.monotonic() - began) * 1000),
    )
    return written(outgoing, incoming)


def handled(
    incoming: Request,
    methods: tuple[str, ...],
    handler: Handler,
    origins: Callable[[], CrossOriginPolicy],
) -> Response:
    """The answer or the refusal, with what lets a page of a listed origin read it."""
    allowed = origins()
    try:
        if incoming.method == "OPTIONS" and "access-control-request-method" in incoming.headers:
            return Response(204, headers=allowed.preflight(incoming.headers))
        if incoming.method not in methods:
            raise Problem("method_not_allowed", headers={"Allow": ", ".join(methods)})
        outgoing = handler(incoming)
    except StorageUnavailable:
        away = Problem("storage_unavailable", retry_after=timedelta(seconds=5))
        away.extra_headers |= allowed.answer_headers(incoming.headers)
        raise away from None
    except Problem as problem:
        problem.extra_headers |= allowed.answer_headers(incoming.headers)
        raise
    shared_with = allowed.answer_headers(incoming.headers)
    return replace(outgoing, headers={**outgoing.headers, **shared_with})


async def off_the_loop(context: func.Context, work: Callable[[], T]) -> T:
    """`work` on a thread of the pool, its log lines tied to this invocation."""
    storage = getattr(context, "thread_local_storage", None)
    copied = contextvars.copy_context()

    def tied() -> T:
        if storage is not None:
            # Documented by Functions: without it, lines logged on this thread lose the invocation.
            storage.invocation_id = context.invocation_id
        return copied.run(work)

    return await asyncio.get_running_loop().run_in_executor(POOL, tied)


def read(request: func.HttpRequest) -> Request:
    """The framework's request as an `Request`; the form is parsed when it is asked for."""
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


def written(outgoing: Response, incoming: Request) -> func.HttpResponse:
    """An `Response` as the framework's response, with what every response carries."""
    return func.HttpResponse(
        b"" if incoming.method == "HEAD" else outgoing.body,
        status_code=outgoing.status,
        headers={**ALWAYS, "X-Request-Id": incoming.request_id, **outgoing.headers},
        mimetype=outgoing.content_type,
        charset="utf-8",
    )
