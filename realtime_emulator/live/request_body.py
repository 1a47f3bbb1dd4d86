"""The body of a create or of a fork, checked in the order of the Live API."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from realtime_emulator.live import http_errors, session_schema
from realtime_emulator.live.json_shapes import Object
from realtime_emulator.live.limits import check_limits
from realtime_emulator.protocol.json_text import parse_json
from realtime_emulator.protocol.validators import Invalid, missing


async def read_object(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body. Raises ApiError 400."""
    if request.content_type != "application/json":
        message = f"Unsupported content type '{request.content_type}': use application/json."
        raise http_errors.invalid(Invalid("unsupported_content_type", message, None))
    try:
        body = parse_json(await request.read())
    except ValueError:
        message = "We could not parse the JSON body of your request."
        raise http_errors.invalid(Invalid("invalid_json", message, None)) from None
    if not isinstance(body, dict):
        message = "The body of the request must be a JSON object."
        raise http_errors.invalid(Invalid("invalid_json", message, None))
    return body


def parse_create(body: dict[str, Any], *, strict: bool) -> tuple[dict[str, Any], str]:
    """The session and the offer of a create. Raises ApiError 400. `strict`: only what Azure
    documents is known."""
    session = session_schema.AZURE_CREATE if strict else session_schema.CREATE
    shape = Object({"session": session, "transport": session_schema.TRANSPORT})
    check(body, shape, ("session", "session.model", "transport", "transport.sdp"))
    return body["session"], body["transport"]["sdp"]


def parse_fork(body: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The overrides and the offer of a fork over WebRTC. Raises ApiError 400."""
    shape = Object({"session": session_schema.FORK, "transport": session_schema.TRANSPORT})
    check(body, shape, ("transport", "transport.sdp"))
    return body.get("session", {}), body["transport"]["sdp"]


def check(body: dict[str, Any], shape: Object, required: tuple[str, ...]) -> None:
    try:
        check_session(body, shape, required, has_media=True)
    except Invalid as wrong:
        raise http_errors.invalid(wrong) from None


def check_session(
    value: dict[str, Any], shape: Object, required: tuple[str, ...], *, has_media: bool
) -> None:
    """Required names, unknown names, values, limits, in that order. Raises Invalid."""
    for path in required:
        if not has_path(value, path):
            raise missing(path)
    shape.find_unknown(value, "")
    shape.check_value(value, "")
    check_limits(value.get("session", {}), has_media=has_media)


def has_path(value: Any, path: str) -> bool:
    """Whether the field is there. Where the object that has it is none, its type is wrong, which
    is said later."""
    head, _, rest = path.partition(".")
    if not isinstance(value, dict):
        return True
    return head in value and (not rest or has_path(value[head], rest))
