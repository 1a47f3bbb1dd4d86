"""A recording as a script: the emulator answers what the model answered then, in the same order."""

from __future__ import annotations

import json
from typing import Any, Final

from realtime_emulator.recordings.format import Line, Recording
from realtime_emulator.script.script import Script

NOT_TRANSCRIBED: Final = "conversation.item.input_audio_transcription.failed"


def make_script(recording: Recording) -> dict[str, Any]:
    """The script that replays a recording's answers, refusals and failures."""
    if recording.kind == "http":
        return script_of_exchanges(recording)
    return script_of_live(recording) if recording.api == "live" else script_of_calls(recording)


def script_of_calls(recording: Recording) -> dict[str, Any]:
    """Realtime: a planned reply for each response that was done."""
    replies = [planned_reply(event["response"]) for event in recording.sent("response.done")]
    return {"replies": [reply for reply in replies if reply], **deployed_models(recording)}


def planned_reply(response: dict[str, Any]) -> Line:
    """What a response was; {} for one that said nothing."""
    details = response.get("status_details") or {}
    if response["status"] == "failed":
        error = details.get("error") or {}
        kept = {n: error[n] for n in ("code", "type", "message") if isinstance(error.get(n), str)}
        return {"fail": kept}
    for item in response["output"]:
        if item["type"] == "function_call":
            return {"call": {"tool": item["name"], "arguments": parse_object(item["arguments"])}}
        if item["type"] == "message":
            say = "".join(text_of(part) for part in item["content"])
            cut = {"incomplete": details["reason"]} if response["status"] == "incomplete" else {}
            return {"say": say or "…", **cut}
    return {}


def text_of(part: Line) -> str:
    return part.get("transcript") or part.get("text") or ""


def deployed_models(recording: Recording) -> dict[str, Any]:
    """The models that the sessions name, so that any deployment's name is one here."""
    there = Script().values["deployments"]
    models, transcribing = set(there["realtime"]), set(there["transcription"])
    failed = any(True for _ in recording.sent(NOT_TRANSCRIBED))
    for kind in ("session.created", "session.updated"):
        for event in recording.sent(kind):
            session = event["session"]
            models |= {session["model"]} if "model" in session else set()
            transcription = session["audio"]["input"].get("transcription") or {}
            transcribing |= {transcription["model"]} if "model" in transcription else set()
            if failed:
                transcribing.discard(transcription.get("model"))
    deployed = {"realtime": sorted(models), "transcription": sorted(transcribing)}
    return {"deployments": deployed}


def script_of_live(recording: Recording) -> dict[str, Any]:
    """GPT-Live: what was delegated, and what came of it. The model's own words are the media's."""
    task: dict[str, Any] = {}
    script: dict[str, Any] = {}
    for event in recording.sent("response.event"):
        nested = event["event"]
        item = nested.get("item") or {}
        if nested["type"] == "response.output_item.done" and item.get("type") == "function_call":
            called = {"tool": item["name"], "arguments": parse_object(item["arguments"])}
            task["calls"] = [called]
        if nested["type"] == "response.output_text.done":
            script["tool_result"] = nested["text"]
    if any(True for _ in recording.sent("session.delegation.created")):
        script["rules"] = [{"words": [], "delegate": task}]
    return script


def script_of_exchanges(recording: Recording) -> dict[str, Any]:
    """HTTP: each refusal, once, on its route."""
    faults: dict[str, list[Line]] = {}
    for exchange in recording.exchanges:
        request, response = exchange["request"], exchange["response"]
        route = route_of(request["method"], request["path"])
        if route is None or response["status"] < 400:
            continue
        if route.endswith("hangup") and response["status"] == 404:
            continue  # the emulator's own answer, once the call is gone
        body = response.get("body")
        error = (body.get("error") if isinstance(body, dict) else None) or {}
        fault: Line = {"status": response["status"], "times": 1}
        fault |= {n: error[n] for n in ("code", "message") if isinstance(error.get(n), str)}
        if "retry-after" in (response.get("headers") or {}):
            fault["retry_after"] = response["headers"]["retry-after"]
        faults.setdefault(route, []).append(fault)
    return {"faults": faults} if faults else {}


def route_of(method: str, path: str) -> str | None:
    """The script's route of a request."""
    tail = path.rpartition("/v1/")[2].split("/")
    match (method, tail):
        case ("POST", ["realtime", "client_secrets"]):
            return "client_secrets"
        case ("POST", ["realtime", "calls"]):
            return "calls"
        case ("POST", ["realtime", "calls", _, "hangup"]):
            return "hangup"
        case ("POST", ["live", "sessions"]):
            return "live_sessions"
        case ("POST", ["live", "sessions", _, "hangup"]):
            return "live_hangup"
        case ("GET", ["realtime"]):
            return "sideband"
        case ("GET", ["live", "sessions", _, "attach"]):
            return "live_attach"
    return None


def parse_object(arguments: str) -> dict[str, Any]:
    try:
        value = json.loads(arguments)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
