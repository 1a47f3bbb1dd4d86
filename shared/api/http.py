"""The HTTP edge: azure.functions requests and responses <-> plain values.

With request.py and response.py, the only module that knows the framework's requests. It runs the
blocking work of a request on a thread of our own pool, and turns every outcome into a response with
the same headers. A `Problem` becomes problem+json; any other exception becomes `internal_error`,
with its cause in the log only.
"""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import azure.functions as func

from shared.api.bulkheads import READS
from shared.api.request import Request, read_request
from shared.api.response import Response, problem_response, write_response
from shared.core import logs
from shared.core.bulkhead import Bulkhead
from shared.core.problems import Problem

if TYPE_CHECKING:
    from shared.auth.origins import CrossOriginPolicy


def ignore_refusal(_: str, __: str) -> None:
    """Where nobody counts."""


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
    refused: Callable[[str, str], None] = ignore_refusal,
) -> func.HttpResponse:
    """Runs `handler` for a request with one of `methods`. Gives a response whatever happens.

    A request with one of `methods` runs on the threads of `on`, any other on those of `READS`.
    `origins` runs off the event loop too: the first call opens the broker, which takes a while.
    `refused` is told of each problem that a request is answered with: the function's name, and the
    code.
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
    if code:
        refused(context.function_name, code)
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
