"""A hostile or broken endpoint on the sideband: it costs an event or a connection, not the call.

One line a case. `Frames` come on the sideband of a running call, `Dials` befall the sideband,
`Refused` client events are ours. What comes over REST: test_replies.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from shared.sideband.connector import SidebandConnector
from tests.contract.hostile.page_call import PageCall, until
from tests.contract.hostile.running import MARK, SCRIPT, Fault, Stack

pytestmark = pytest.mark.asyncio(loop_scope="package")

CASES: Final = Path(__file__).resolve().parents[2] / "fixtures" / "cases"


def the_usual(_: PageCall) -> None:
    """Nothing beside what holds for every call."""


@dataclass(frozen=True, slots=True)
class Frames:
    name: str
    frames: Sequence[str | bytes]
    holds: Callable[[PageCall], None] = the_usual


LARGE: Final = 60_000
LONE: Final = "\ud83d"


def event(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, "event_id": "event_x", **fields})


def error(**fields: Any) -> str:
    return event("error", error={"type": "invalid_request_error", **fields})


def item(name: Any, text: str = "", **fields: Any) -> list[str]:
    content = [{"type": "input_text", "text": MARK + text}]
    made = {"id": name, "type": "message", "role": "user", "status": "completed"}
    previous = fields.pop("previous", None)
    about = {"previous_item_id": previous, "item": {**made, "content": content, **fields}}
    return [event(f"conversation.item.{part}", **about) for part in ("added", "done")]


def done(name: Any = "resp_x", **fields: Any) -> str:
    response = {"id": name, "status": "completed", "output": [], **fields}
    return event("response.done", response=response)


def usage(**counts: Any) -> str:
    return done(f"resp_{len(str(counts))}", usage=counts)


def usage_of(digits: int) -> str:
    """Python converts no number of more than 4,300 digits."""
    return done(f"resp_{digits}", usage={"input_tokens": 0}).replace(": 0}", f": {'9' * digits}}}")


def odd(*values: Any) -> tuple[Any, ...]:
    """Values of types that nobody expects there."""
    return values


def function_call(arguments: Any, **fields: Any) -> list[str]:
    """A function call, as the model makes one."""
    made = {"id": "fc_x", "type": "function_call", "status": "completed", "call_id": "call_x",
            "name": "order_status", "arguments": arguments, **fields}  # fmt: skip
    about = {"response_id": "resp_x", "output_index": 0, "item": made}
    created = event("response.created", response={"id": "resp_x", "status": "in_progress"})
    return [created, event("response.output_item.done", **about), done(output=[made])]


def session(**fields: Any) -> str:
    return event("session.updated", session=fields)


FRAMES: Final[list[Frames]] = [
    Frames("an error that is a text", [event("error", error="boom")]),
    Frames("an error that is nothing", [event("error"), event("error", error=None)]),
    Frames("an error that is a list", [event("error", error=[MARK]), event("error", error=1)]),
    Frames("an error of other types", [error(code={}, param=[MARK], message={}, event_id=1)]),
    Frames("an error's long code", [error(code=MARK * 9000, param=MARK * 9000, type=MARK * 9000)]),
    Frames("an error with a token in it", [error(param="eyJ" * 20_000 + MARK)] * 3),
    Frames("300 errors", [error(code="server_error")] * 300),
    Frames("an id of 5 MB", item("i" * 5_000_000)),
    Frames("a previous id of 5 MB", item("next", previous="i" * 5_000_000)),
    Frames("an id that is none", [*item(1), *item(None), *item({}), *item([]), *item("")]),
    Frames("an id of a surrogate", item(LONE)),
    Frames("a text of surrogates", item("lone", LONE * 100)),
    Frames("an item that is none", [event("conversation.item.added", item=each)
        for each in odd(None, 1, "text", [], {}, [[]])]),
    Frames("a content that is none", [part for each in odd(None, 1, "text", {}, [1], [None], [[]])
        for part in item("odd", content=each)]),
    Frames("a content of other types", item("odd", content=[{"type": {}, "text": [MARK]}])),
    Frames("an item before itself", item("self", previous="self")),
    Frames("items in a ring", [*item("a", previous="c"), *item("b", previous="a"),
        *item("c", previous="b")]),
    Frames("items that nobody knows", [part for n in range(100)
        for part in item(f"late{n}", previous=f"missing{n}")]),
    Frames("300 items", [part for n in range(300) for part in item(f"item{n}")]),
    Frames("40 items of 60 KB", [part for n in range(40) for part in item(f"i{n}", "x" * LARGE)]),
    Frames("deltas without an end", [event("response.output_text.delta", item_id=f"open{n % 100}",
        delta="x" * LARGE) for n in range(200)]),
    Frames("a delta that is none", [event("response.output_text.delta", item_id="d", delta=each)
        for each in odd(None, 1, {}, [MARK])]),
    Frames("responses without an end", [event("response.created", response={"id": f"open{n}"})
        for n in range(200)] + [done(f"open{n}") for n in range(200)]),
    Frames("a response that is none", [event("response.done", response=each)
        for each in odd(None, 1, "text", [], {}, {"id": 1})]),
    Frames("an output that is none", [done(output=each)
        for each in odd(None, 1, "text", {}, [1], [{}])]),
    Frames("details that are none", [done(status="failed", status_details=each)
        for each in odd(None, 1, "text", [], {"error": "boom"}, {"error": {"code": {}}})]),
    Frames("usage over 64 bits", [usage(total_tokens=2**70, input_tokens=2**70, output_tokens=1)]),
    Frames("usage without bounds", [
        '{"type":"response.done","response":{"id":"r","usage":{"input_tokens":1e999}}}',
        '{"type":"response.done","response":{"id":"r","usage":{"input_tokens":NaN}}}',
        '{"type":"response.done","response":{"id":"r","usage":{"input_tokens":-Infinity}}}']),
    Frames("usage of thousands of digits", [usage_of(4000), usage_of(5000)]),
    Frames("usage below nothing", [usage(total_tokens=-5, input_tokens=-10**9, output_tokens=-1)]),
    Frames("usage of other types", [done(f"r{n}", usage=each) for n, each in enumerate(odd(
        1, "text", [], {"input_tokens": "12"}, {"input_tokens": True}, {"input_tokens": 1.5},
         {"input_token_details": 1}, {"input_token_details": {"text_tokens": {}}}))]),
    *[Frames(f"a time of {word}", [event("conversation.item.truncated", item_id="a",
        audio_end_ms=0).replace(": 0", f": {word}")]) for word in ("NaN", "1e999", "-Infinity")],
    Frames("times that are none", [event("conversation.item.truncated", item_id="a", audio_end_ms=t)
        for t in odd(-1, 1e308, True, "1", None, [], 2**70)]),
    Frames("JSON 100,000 deep", ["[" * 100_000, "[" * 100_000 + "]" * 100_000]),
    Frames("an event 100,000 deep", ['{"type":"x","a":' * 100_000 + "1" + "}" * 100_000]),
    Frames("an event 900 deep", ['{"type":"error","error":' + "[" * 900 + "]" * 900 + "}"]),
    Frames("no JSON", ["", "null", "[]", "1", '"text"', "{", MARK, "\ufeff{}", "{}{}"]),
    Frames("no type", ["{}", '{"type":null}', '{"type":{}}', '{"type":[]}', '{"type":""}']),
    Frames("a type of surrogates", [event(LONE), event(MARK * 5000), event("response." + LONE)]),
    Frames("a name twice", ['{"type":"error","type":"response.done","response":{},"response":1}']),
    Frames("binary frames", [b"\x00\xff" * 100, b"", b'{"type":"error","error":"boom"}']),
    Frames("a session that is none", [event("session.updated", session=each)
        for each in odd(None, 1, "text", [], {})]),
    Frames("a session of other types", [session(instructions={}, tools="all", tool_choice=[],
        max_output_tokens="many", model={}, audio="loud", prompt=1)]),
    Frames("a session of deep tools", [session(tools=[{"type": "function", "name": "a",
        "parameters": json.loads("[" * 90 + "]" * 90)}])]),
    Frames("a session again and again", [session(instructions=MARK)] * 200),
    Frames("a deletion of what is not there", [event("conversation.item.deleted", item_id=each)
        for each in odd("none", "", 1, None, LONE)]),
    Frames("words that are none", [event("conversation.item.input_audio_transcription.completed",
        item_id="w", transcript=each, usage=each) for each in odd(None, 1, {}, [MARK], LONE)]),
    Frames("words' usage of other types", [event(
        "conversation.item.input_audio_transcription.completed", item_id=f"w{n}", transcript="a",
        usage={"type": "tokens", "total_tokens": each, MARK: MARK})
        for n, each in enumerate(odd(2**70, -1, True, "1", 1.5))]),
    Frames("a failure that is none", [event("conversation.item.input_audio_transcription.failed",
        item_id="w", error=each) for each in odd(None, 1, "boom", [], {"code": {}})]),
    Frames("a call's arguments 1,200 deep", function_call("[" * 1200 + "]" * 1200)),
    Frames("a call's arguments that are none", [*function_call(None), *function_call(1),
        *function_call({}, call_id="b"), *function_call([], call_id="c")]),
    Frames("a call's arguments of surrogates", function_call(json.dumps({"order_number": LONE}))),
    Frames("a call's large arguments", function_call(json.dumps({"order_number": "1" * LARGE}))),
    Frames("a call's arguments without bounds", function_call('{"order_number": NaN}')),
    Frames("a call's id that is none", [part for each in odd(None, 1, "", {}, LONE, "c" * LARGE)
        for part in function_call('{"order_number": "1001"}', call_id=each)]),
    Frames("a call's name that is none", [part for each in odd(None, 1, "", {}, LONE, "n" * LARGE)
        for part in function_call("{}", name=each)]),
    Frames("a call twice", function_call('{"order_number": "1001"}') * 2),
    Frames("audio that nobody started", [event("output_audio_buffer.stopped", response_id=each)
        for each in odd("none", 1, None, LONE)]),
    Frames("limits that are none", [event("rate_limits.updated", rate_limits=each)
        for each in odd(None, 1, "text", {}, [1])]),
    Frames("events of an API to come", [event("response.hologram.delta", delta=MARK * 100)] * 200),
]  # fmt: skip


@pytest.mark.parametrize("case", FRAMES, ids=lambda case: case.name)
async def test_what_the_sideband_says(stack: Stack, case: Frames) -> None:
    async with stack.call() as call:
        for frame in case.frames:
            raw = frame if isinstance(frame, bytes) else frame.encode()
            await stack.emulator.inject_frame(call.call_id, raw, binary=isinstance(frame, bytes))
        await call.ordinary_turn()
    case.holds(call)


@dataclass(frozen=True, slots=True)
class Dials:
    """What befalls the sideband of a call. If `ever`, every dial of it; otherwise the first ones,
    and the observer is there again afterwards."""

    name: str
    faults: Sequence[Fault]
    ever: bool = False
    silent: bool = False
    """Nothing comes, so that what is waited for is a time."""
    kept: bool = False
    """The connection holds nevertheless."""


def closed(code: int, *send: str, reason: str = "", **fault: Any) -> Fault:
    """Accepted, and closed at once after what is to be sent."""
    close = {"drop_after_seconds": 0, "close_code": code, "close_reason": reason}
    return {**close, "send": list(send), "times": 1, **fault}


def refused(status: int, **fault: Any) -> Fault:
    return {"status": status, "times": 1, **fault}


def recorded_closes() -> list[Dials]:
    """Closes as they were reported: of a key, of a policy, of a restart, of a gateway."""
    found = []
    for each in json.loads((CASES / "sideband-closes.json").read_text()):
        if "handshake" in each:
            reply = {"reply": {"body": json.dumps(each["body"])}}
            fault = {"status": each["handshake"], **reply}
        else:
            says = [json.dumps(said) for said in each["events"]]
            fault = {**closed(each["close"], *says, reason=each.get("reason", "")), "times": 1000}
        found.append(Dials(f"reported: {each['source'].partition(' ')[0]}", [fault], ever=True))
    return found


HELLO: Final = event("response.output_text.delta", item_id="a", delta=MARK)
DIALS: Final[list[Dials]] = [
    *[Dials(f"a close with {code}", [closed(code)]) for code in (1000, 1001, 1011, 1012, 1013)],
    Dials("a close with a code of its own", [closed(4321, reason=MARK)]),
    Dials("a close after an event", [closed(1000, HELLO)]),
    Dials("two closes", [closed(1000, times=2)]),
    Dials("a reset", [{"drop_after_seconds": 0, "reset": True, "times": 1}]),
    Dials("a reset before the handshake", [{"reset": True, "times": 1}]),
    Dials("a reset after an event", [{"drop_after_events": 1, "reset": True, "times": 1}]),
    Dials("a frame that is no UTF-8", [{"send": ["\udcff\udcfe"], "times": 1}], kept=True),
    Dials("a frame of 17 MiB", [{"send": ["x" * 17 * 2**20], "times": 1}], kept=True),
    *[Dials(f"a handshake with {status}", [refused(status)]) for status in (404, 429, 500, 503)],
    Dials("a handshake with a page", [refused(404, reply={"status": 200, "body": MARK})]),
    Dials("a handshake elsewhere", [refused(404, reply={
        "status": 302, "headers": {"Location": "http://127.0.0.1:9/"}})]),
    Dials("a handshake that never comes", [{"delay_seconds": 60, "times": 1}], silent=True),
    Dials("a handshake that drips", [refused(503, drip_seconds=1)], silent=True),
    Dials("a connection that is forgotten", [{"forget_after_seconds": 0, "times": 1}], silent=True),
    Dials("a connection that is forgotten later", [{"forget_after_seconds": 0.1, "times": 1}],
        silent=True),
    Dials("a 404 of a gateway", [refused(404, reply={"body": "<h1>404</h1>"})]),
    Dials("a 404 that is deep", [refused(404, reply={"body": "[" * 100_000})]),
    Dials("closes for ever", [closed(1000, times=1000)], ever=True),
    Dials("closes after an event, for ever", [closed(1000, HELLO, times=1000)], ever=True),
    Dials("resets for ever", [{"drop_after_seconds": 0, "reset": True}], ever=True),
    Dials("resets before the handshake, for ever", [{"reset": True}], ever=True),
    Dials("1008 for ever", [closed(1008, times=1000)], ever=True),
    Dials("503 for ever", [{"status": 503}], ever=True),
    Dials("401 for ever", [{"status": 401}], ever=True),
    Dials("a 404 of a gateway, for ever", [{"status": 404, "reply": {"body": MARK}}], ever=True),
    *recorded_closes(),
]  # fmt: skip
WATCHED: Final = 0.4
MOST_DIALS: Final = 8
"""In those seconds, where the first pause is 20 ms and doubles; hundreds came."""
MOST_GAPS: Final = 1


@pytest.mark.usefixtures("after_faults")
@pytest.mark.parametrize("case", DIALS, ids=lambda case: case.name)
async def test_what_befalls_the_sideband(stack: Stack, case: Dials) -> None:
    await stack.emulator.change({"faults": {"sideband": list(case.faults)}})
    with impatient(stack) if case.silent else nullcontext():
        await sideband_with(stack, case)


async def sideband_with(stack: Stack, case: Dials) -> None:
    emulator = stack.emulator
    async with stack.call(observed=False) as call:
        if case.ever:
            await asyncio.sleep(WATCHED)
            assert call.record.ended_at is None, "upstream has not said that the call is over"
            assert call.counted.live_calls == 1, "it counts"
            assert 1 <= await call.dials() <= MOST_DIALS
            await emulator.change({"faults": {"sideband": []}})
        else:
            first = 0 if case.kept else sum(fault["times"] for fault in case.faults)
            await call.until_observed(first + 1)
            await until(call.is_attached, "attached")
            await call.ordinary_turn()
            if case.kept:
                assert await call.dials() == 1
        assert (await call.upstream())["live"], "nobody but its page has ended it"
    assert sum(line.kind == "gap" for line in call.lines) <= MOST_GAPS


@contextmanager
def impatient(stack: Stack) -> Iterator[None]:
    """Sidebands that nothing comes on are given up soon."""
    connector, soon = stack.broker.model.default.realtime.connector, timedelta(seconds=0.3)
    assert isinstance(connector, SidebandConnector)
    usual = connector.timeouts
    connector.timeouts = replace(usual, open=soon, ping=soon, close=soon)
    try:
        yield
    finally:
        connector.timeouts = usual


@dataclass(frozen=True, slots=True)
class Refused:
    """What the endpoint refuses of what the observer sends, the first time."""

    name: str
    refusal: Mapping[str, Any]


def recorded_refusal() -> Mapping[str, Any]:
    """The answer to a tool's first output, as it was reported."""
    error = json.loads((CASES / "tool-output-refused.json").read_text())["error"]
    assert error["event_id"] is None
    return {"code": error["code"], "message": error["message"]}


OUTPUT: Final = {"event": "conversation.item.create", "item": "function_call_output", "times": 1}
REFUSED: Final[list[Refused]] = [
    Refused("reported", {**OUTPUT, **recorded_refusal(), "anonymous": True}),
    Refused("a tool's output, by its id", OUTPUT),
    Refused("a tool's output, twice", {**OUTPUT, "times": 2, "anonymous": True}),
    Refused("a look at the session", {"event": "session.update", "times": 1, "anonymous": True}),
    Refused("a look at an item", {"event": "conversation.item.retrieve", "anonymous": True}),
]
PARCEL: Final = {
    "words": ["parcel"],
    "call": {"tool": "order_status", "arguments": {"order_number": "1001"}},
}
WHERE: Final = {"type": "message", "role": "user", "content": [
    {"type": "input_text", "text": "where is my parcel"}]}  # fmt: skip


@pytest.mark.usefixtures("after_faults")
@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
async def test_what_is_refused_once(stack: Stack, case: Refused) -> None:
    """A later tool call is answered without anybody's asking for it again."""
    await stack.emulator.change({"refusals": [case.refusal], "rules": [PARCEL, *SCRIPT["rules"]]})
    async with stack.call() as call:
        for turn in range(1, 2 + case.refusal.get("times", 1)):
            await call.ask(WHERE, lambda: tools_run(call) >= turn, "run")  # noqa: B023
        await until(lambda: is_told(call), "told")
        await call.ordinary_turn()


def tools_run(call: PageCall) -> int:
    return sum(line.kind == "tool" for line in call.lines)


def is_told(call: PageCall) -> bool:
    """Whether the page has been told what came of a tool."""
    return any("The tool says" in event.get("text", "") for event in call.caller.events)
