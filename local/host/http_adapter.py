"""Converts aiohttp's requests and responses to and from those of `azure.functions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from azure.functions.meta import Datum

# Set by the server itself: they concern the connection or the framing of the body.
FRAMING = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding", "upgrade"}
)


async def request_to_datum(request: web.Request, parameters: Mapping[str, str]) -> Datum:
    """An HTTP request as the worker receives it.

    Header names are lower-case, repeated headers are joined with commas, and the last of a
    repeated query parameter wins.
    """
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    body = await request.read()
    return Datum(
        {
            "method": string_datum(request.method),
            "url": string_datum(f"{request.scheme}://{request.host}{request.raw_path}"),
            "headers": {name: string_datum(value) for name, value in headers.items()},
            "query": {name: string_datum(value) for name, value in request.query.items()},
            "params": {name: string_datum(value) for name, value in parameters.items()},
            "body": Datum(body, "bytes"),
        },
        "http",
    )


def datum_to_response(datum: Datum) -> web.Response:
    """The response from an `http` output, which holds an HttpResponse or a plain str."""
    if datum.type == "string":
        return web.Response(text=datum.value)
    answer: Mapping[str, Any] = datum.value
    response = web.Response(
        status=int(answer["status_code"].value), body=answer["body"].value or None
    )
    for name, header in answer["headers"].items():
        if name.lower() == "content-type":
            response.headers["Content-Type"] = header.value
        elif name.lower() not in FRAMING:
            response.headers.add(name, header.value)
    for cookie in answer["cookies"] or ():
        for morsel in cookie.values():
            response.headers.add("Set-Cookie", morsel.OutputString())
    return response


def string_datum(value: str) -> Datum:
    return Datum(value, "string")
