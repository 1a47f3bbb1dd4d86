"""One function per route: reads the request, makes one call, turns its result into a response.

Everything is looked up from the broker of this process, which opens at the first request
(shared/api/lazy_broker.py).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from shared.api.lazy_broker import current_broker, current_observer_worker, write_refusals
from shared.api.request import Request
from shared.api.response import Response, csv_response, json_response
from shared.auth.roles import ADMIN
from shared.core.problems import Problem

if TYPE_CHECKING:
    from shared.admin.service import AdminService
    from shared.auth.caller import Caller
    from shared.broker import Broker
    from shared.calls.termination import CallTerminator
    from shared.config.profiles import Profile
    from shared.config.voice_api import VoiceApi
    from shared.observer.worker import ObserverWorker


def authenticate(broker: Broker, request: Request) -> Caller:
    """Who is calling, from a page that may use the broker. Raises `Problem`."""
    broker.origins.check_origin(request.headers)
    return broker.authenticator.authenticate(request.headers)


def requested_profile(broker: Broker, request: Request, caller: Caller) -> Profile:
    """The profile that `?profile=` names. Raises Problem unknown_profile, profile_not_allowed."""
    profile = broker.profiles.named(request.query.get("profile"))
    caller.require_any_role(profile.roles)
    return profile


def admin_service(request: Request) -> AdminService:
    """What admins may do, if the caller is one. Raises `Problem`."""
    broker = current_broker()
    authenticate(broker, request).require_role(ADMIN)
    return broker.admin


def location_of(handle: str, request: Request) -> dict[str, str]:
    """The call's URL relative to the request's: it holds whatever an ingress takes off the path,
    and with any routePrefix. All routes that start or register a call are siblings."""
    return {"Location": f"{'../' if request.trailing_slash else ''}calls/{handle}"}


def voice_api_header(api: VoiceApi) -> dict[str, str]:
    """Tells a page which API's events it will meet."""
    from shared.auth.origins import VOICE_API

    return {VOICE_API: api}


def token(request: Request) -> Response:
    broker = current_broker()
    caller = authenticate(broker, request)
    profile = requested_profile(broker, request, caller)
    return json_response(200, broker.calls.issue_token(profile, caller).public())


def start_or_check_call(request: Request) -> Response:
    """GET: whether the caller may start calls with the profile. Nothing is counted or sent."""
    if request.method == "POST":
        return start_call(request)
    broker = current_broker()
    requested_profile(broker, request, authenticate(broker, request))
    return Response(204)


def start_call(request: Request) -> Response:
    from shared.auth.origins import CONVERSATION

    broker = current_broker()
    caller = authenticate(broker, request)
    profile = requested_profile(broker, request, caller)
    continues = request.query.get("continues", "")
    require_observers(broker)
    started = broker.calls.start_call(request.offer(), profile, caller, continues)
    headers = {
        **location_of(started.handle, request),
        **voice_api_header(started.api),
        CONVERSATION: "continued" if started.carried else "new",
    }
    return Response(201, started.sdp.encode(), "application/sdp", headers)


def require_observers(broker: Broker) -> None:
    """Raises Problem instance_stopping where the call would start without an observer: an instance
    that is to stop takes no messages, and there may be no other one yet."""
    if broker.settings.observer.mode != "off" and broker.slots.stopping.has_begun:
        raise Problem("instance_stopping", retry_after=timedelta(seconds=2))


def show_call(request: Request) -> Response:
    broker = current_broker()
    caller = authenticate(broker, request)
    return json_response(200, broker.calls.call_status(request.route["handle"], caller))


def list_calls(request: Request) -> Response:
    admin = admin_service(request)
    if not wants_csv(request):
        return json_response(200, admin.list_calls(request.query))
    from shared.admin.call_list import COLUMNS

    rows, following = admin.export_calls(request.query)
    return csv_response("calls", rows, COLUMNS, {"X-Next": following} if following else None)


def wants_csv(request: Request) -> bool:
    return request.query.get("format") == "csv"


def list_or_register_calls(request: Request) -> Response:
    if request.method == "GET":
        return list_calls(request)
    broker = current_broker()
    caller = authenticate(broker, request)
    profile = requested_profile(broker, request, caller)
    body = request.json()
    body = body if isinstance(body, dict) else {}
    call_id, address = str(body.get("call_id")), str(body.get("endpoint") or "")
    handle = broker.calls.register_call(call_id, profile, caller, address)
    headers = {**location_of(handle, request), **voice_api_header(profile.api)}
    return Response(201, headers=headers)


def hang_up(request: Request) -> Response:
    from shared.calls.record_ids import is_record_id

    broker = current_broker()
    caller = authenticate(broker, request)
    handle = request.route["handle"]
    if is_record_id(handle):
        # No handle looks like that: an admin means a call of the list.
        caller.require_role(ADMIN)
        broker.terminator.end_by_admin(handle)
    else:
        broker.calls.hang_up(handle, caller)
    return Response(204)


def show_or_delete_transcript(request: Request) -> Response:
    admin = admin_service(request)
    if request.method == "GET":
        after = request.query.get("after", "")
        return json_response(200, admin.show_transcript(request.route["id"], after))
    admin.delete_transcript(request.route["id"])
    return Response(204)


def show_recording(request: Request) -> Response:
    from shared.api.byte_ranges import partial_response
    from shared.recordings.wav import CONTENT_TYPE

    recording = admin_service(request).find_recording(request.route["id"])
    # No version of it has a name, so whoever asks for a range of that very version gets none.
    asked = "" if "if-range" in request.headers else request.headers.get("range", "")
    return partial_response(asked, recording.length, CONTENT_TYPE, recording.read_bytes)


def send_event(request: Request) -> Response:
    return json_response(
        202, admin_service(request).send_event(request.route["id"], request.json())
    )


def show_usage(request: Request) -> Response:
    rows = admin_service(request).report_usage(request.query)
    if wants_csv(request):
        from shared.admin.usage_report import COLUMNS

        return csv_response("usage", rows, COLUMNS)
    return json_response(200, {"usage": rows})


def show_latency(request: Request) -> Response:
    admin = admin_service(request)
    rows = admin.report_latency(request.query)
    if wants_csv(request):
        from shared.admin.latency_report import COLUMNS

        return csv_response("latency", rows, COLUMNS)
    return json_response(200, {"latency": rows, "slow_ms": admin.settings.slow_turn_ms})


def show_failures(request: Request) -> Response:
    admin = admin_service(request)
    # What this instance has counted in the last few seconds, too.
    write_refusals()
    found = admin.report_failures(request.query)
    if wants_csv(request):
        from shared.admin.failure_report import COLUMNS

        return csv_response("failures", found["failures"], COLUMNS)
    return json_response(200, found)


def show_endpoints(request: Request) -> Response:
    broker = current_broker()
    authenticate(broker, request).require_role(ADMIN)
    return json_response(200, broker.endpoints.report())


def health(request: Request) -> Response:
    current_broker()
    if request.query.get("deep") == "1":
        return deep_health(request)
    return json_response(200, {"status": "ok"})


def deep_health(request: Request) -> Response:
    from shared.admin.health import run_checks

    broker = current_broker()
    authenticate(broker, request).require_role(ADMIN)
    settings = broker.settings
    of_host = settings.host.warnings(settings.observer.capacity)
    found = run_checks(broker.checks, (*broker.retirements.sentences(), *of_host))
    slots = broker.slots
    found["observers"] = {"observed_here": slots.taken, "capacity": slots.capacity}
    return json_response(200 if found["status"] == "ok" else 503, found)


def openapi(_: Request) -> Response:
    from shared.api.openapi.document import document

    return json_response(200, document())


def observer() -> ObserverWorker:
    """What follows calls. Raises Problem misconfigured."""
    return current_observer_worker()


def terminator() -> CallTerminator:
    """What ends calls. Raises Problem misconfigured."""
    return current_broker().terminator


def sweep_calls() -> None:
    """Finds the calls that no message is left for. Raises Problem misconfigured."""
    from shared.broker import open_call_sweep

    open_call_sweep(current_broker()).run()
