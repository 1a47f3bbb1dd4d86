"""Converts aiohttp's requests and responses to and from those of `azure.functions`.

What the app sees of a request is what the real host's GrpcMessageConversionExtensions give to the
worker: no chunked body, no empty query parameter, and one value for each name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import HttpVersion11, web
from azure.functions.meta import Datum

from local.host.percent_escapes import unescape

# Set by the server itself: they concern the connection or the framing of the body.
FRAMING = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding", "upgrade"}
)


class BodyTooLarge(Exception):
    """The body is larger than the real host reads."""


async def request_to_datum(
    request: web.Request, parameters: Mapping[str, str], *, largest_body: int
) -> Datum:
    """An HTTP request as the worker receives it. Raises BodyTooLarge.

    Header names are lower-case, and repeated headers and query parameters are joined with commas.
    """
    host = request.headers.get("Host", "")
    return Datum(
        {
            "method": string_datum(request.method),
            "url": string_datum(f"{request.scheme}://{host}{request.raw_path}"),
            "headers": string_data(
                join_repeated((name.lower(), value) for name, value in request.headers.items())
            ),
            "query": string_data(read_query(request.raw_path.partition("?")[2])),
            "params": string_data(parameters),
            "body": Datum(await read_body(request, largest_body), "bytes"),
        },
        "http",
    )


async def read_body(request: web.Request, largest: int) -> bytes:
    """The body, if its length is stated. The real host does not read a chunked one."""
    length = int(request.headers.get("Content-Length", "0"))
    if length > largest:
        raise BodyTooLarge
    return await request.read() if length > 0 else b""


def read_query(query: str) -> dict[str, str]:
    """The parameters of a query: names are compared without case and shown as first written, and
    those without a value are dropped."""
    pairs: list[tuple[str, str]] = []
    shown: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = (unescape(text.replace("+", " ")) for text in part.partition("="))
        pairs.append((shown.setdefault(name.lower(), name), value))
    return {name: value for name, value in join_repeated(pairs).items() if value}


def join_repeated(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """One value for each name: those that are not empty, joined with commas."""
    values: dict[str, str] = {}
    for name, value in pairs:
        before = values.get(name)
        values[name] = f"{before},{value}" if before and value else before or value
    return values


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


def frame_body(request: web.Request, response: web.Response) -> web.Response:
    """Has a body sent in chunks, as the real host does; to HTTP/1.0, until the connection ends."""
    if response.body:
        if request.version >= HttpVersion11:
            response.enable_chunked_encoding()
        else:
            response.force_close()
    return response


async def drop_length(request: web.Request, response: web.StreamResponse) -> None:
    """Drops the length of a body that ends with the connection."""
    if request.version < HttpVersion11 and isinstance(response, web.Response) and response.body:
        response.headers.popall("Content-Length", None)


def string_datum(value: str) -> Datum:
    return Datum(value, "string")


def string_data(values: Mapping[str, str]) -> dict[str, Datum]:
    return {name: string_datum(value) for name, value in values.items()}
