"""The routes' work: parse a request, call one function, make an answer of its result.

The broker is imported at the first request, off the loop: nobody waits for it while the app is
indexed (docs/performance.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.api.http import Request, Response, csv_answer, json_answer

if TYPE_CHECKING:
    from shared.admin.service import AdminService
    from shared.auth.origins import CrossOriginPolicy
    from shared.broker import Broker


def current() -> Broker:
    """The broker of this process. Raises Problem misconfigured."""
    from shared import broker

    return broker.current()


def origins() -> CrossOriginPolicy:
    """The origins whose pages may use the broker."""
    from shared import broker

    return broker.origins()


def subject(body: str) -> tuple[Broker, str]:
    """The broker, and the call that a queue's message is about."""
    from shared.calls import messages

    return current(), messages.subject(body)


def token(request: Request) -> Response:
    serving = current()
    caller = serving.caller(request.headers)
    profile = serving.profiles.named(request.query.get("profile"))
    return json_answer(200, serving.calls.token(profile, caller).public())


def start_call(request: Request) -> Response:
    serving = current()
    caller = serving.caller(request.headers)
    profile = serving.profiles.named(request.query.get("profile"))
    started = serving.calls.start(request.offer(), profile, caller)
    return Response(201, started.sdp.encode(), "application/sdp", place(started.handle))


def place(handle: str) -> dict[str, str]:
    return {"Location": f"/api/calls/{handle}"}


def show_call(request: Request) -> Response:
    serving = current()
    caller = serving.caller(request.headers)
    return json_answer(200, serving.calls.standing(request.route["handle"], caller))


def list_or_register(request: Request) -> Response:
    serving = current()
    caller = serving.caller(request.headers)
    if request.method == "GET":
        caller.require("admin")
        return json_answer(200, serving.desk.calls(request.query))
    profile = serving.profiles.named(request.query.get("profile"))
    told = request.json()
    call_id = told.get("call_id") if isinstance(told, dict) else None
    return Response(201, headers=place(serving.calls.register(str(call_id), profile, caller)))


def hang_up(request: Request) -> Response:
    serving = current()
    caller = serving.caller(request.headers)
    from shared.calls.records import is_record_id

    named = request.route["handle"]
    if is_record_id(named):
        # Nobody's handle looks like that: an admin means the call in the list.
        caller.require("admin")
        serving.endings.by_admin(named)
    else:
        serving.calls.hang_up(named, caller)
    return Response(204)


def for_admins(request: Request) -> AdminService:
    serving = current()
    serving.caller(request.headers).require("admin")
    return serving.desk


def show_or_delete_transcript(request: Request) -> Response:
    desk = for_admins(request)
    if request.method == "GET":
        return json_answer(200, desk.transcript(request.route["id"]))
    desk.delete_transcript(request.route["id"])
    return Response(204)


def send_event(request: Request) -> Response:
    return json_answer(202, for_admins(request).send(request.route["id"], request.json()))


def show_usage(request: Request) -> Response:
    rows = for_admins(request).usage(request.query)
    if request.query.get("format") == "csv":
        return csv_answer(rows)
    return json_answer(200, {"usage": rows})


def health(request: Request) -> Response:
    current()
    if request.query.get("deep") == "1":
        return examine_health(request)
    return json_answer(200, {"status": "ok"})


def examine_health(request: Request) -> Response:
    serving = current()
    serving.caller(request.headers).require("admin")
    from shared.admin.health import run_checks

    found = run_checks(serving.checks)
    return json_answer(200 if found["status"] == "ok" else 503, found)


def openapi(_: Request) -> Response:
    from shared.api import openapi as contract

    return json_answer(200, contract.document())
