"""A hostile or broken endpoint over REST: what it replies costs one request, not the broker.

One line a case: `Replies` answer a request for a key, an offer or a hang-up.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import pytest

from realtime_emulator.caller import Caller
from shared.api import lazy_broker
from shared.calls import termination
from tests.contract.hostile.running import MARK, Fault, Stack
from tests.support.call_location import call_path
from tests.support.principals import signed_in

pytestmark = pytest.mark.asyncio(loop_scope="package")


@dataclass(frozen=True, slots=True)
class Replies:
    """What comes to one request of `route`, and the problem code that its caller gets for it (""
    where the request succeeds all the same)."""

    name: str
    route: str
    fault: Fault
    code: str = "upstream_failed"

    @property
    def is_hung_up(self) -> bool:
        """Whether the broker can know which call it is that it has no use for."""
        headers = self.fault.get("reply", {}).get("headers", {})
        return "Location" not in headers and not {"drip_seconds", "delay_seconds"} & set(self.fault)

    @property
    def budget(self) -> timedelta:
        """For what goes upstream for the request; 30 s in the product."""
        never_answered = {"drip_seconds", "delay_seconds"} & set(self.fault)
        return timedelta(seconds=0.3 if never_answered else 1)


def reply(**fields: Any) -> Fault:
    return {"reply": fields}


DEEP: Final = "[" * 100_000 + "]" * 100_000
MINT, OFFER, HANG_UP = "client_secrets", "calls", "hangup"
CALLS: Final = "/v1/realtime/calls/"
ELSEWHERE: Final = {"Location": "http://127.0.0.1:9/"}
REPLIES: Final[list[Replies]] = [
    Replies("a key's JSON 100,000 deep", MINT, reply(body=DEEP)),
    Replies("a key's JSON 100,000 objects deep", MINT, reply(body='{"a":' * 100_000)),
    Replies("a key beside JSON 100 deep", MINT, reply(body='{"value":"ek_a","a":' + DEEP[:200])),
    Replies("no JSON for a key", MINT, reply(body=MARK)),
    Replies("a list for a key", MINT, reply(body=f'["{MARK}"]')),
    Replies("nothing for a key", MINT, reply(body="")),
    Replies("a body that is no UTF-8", MINT, reply(body='{"value":"\udcff"}')),
    Replies("a body of 300 KB", MINT, reply(body="x" * 300_000)),
    Replies("a body of another type", MINT, reply(headers={"Content-Type": MARK}), ""),
    Replies("a key that expires at 1e30", MINT, reply(json={"expires_at": 1e30})),
    Replies("a key that expires at -1e30", MINT, reply(json={"expires_at": -1e30})),
    Replies("a key that expires at 1e15", MINT, reply(json={"expires_at": 10**15})),
    Replies("a key that has expired", MINT, reply(json={"expires_at": 1})),
    Replies("a key that expires now", MINT, reply(json={"expires_at": int(time.time())})),
    Replies("a key that expires never", MINT, reply(json={"expires_at": None})),
    Replies("a key that expires at a text", MINT, reply(json={"expires_at": "4000000000"})),
    Replies("a key that expires at true", MINT, reply(json={"expires_at": True})),
    Replies("a key that expires at infinity", MINT, reply(body='{"value":"k","expires_at":1e999}')),
    Replies("a key that expires at NaN", MINT, reply(body='{"value":"k","expires_at":NaN}')),
    Replies("a key that expires at 5,000 digits", MINT,
        reply(body=f'{{"value":"k","expires_at":{"9" * 5000}}}')),
    Replies("a key with CR LF", MINT, reply(json={"value": f"ek_a\r\nX-Api-Key: {MARK}"})),
    Replies("a key with NUL", MINT, reply(json={"value": "ek_\0"})),
    Replies("a key of surrogates", MINT, reply(body='{"value":"ek_\\ud83d","expires_at":4e9}')),
    Replies("a key of other letters", MINT, reply(json={"value": "ek_\u00e4"})),
    Replies("a key of 100 KB", MINT, reply(json={"value": "ek_" + "a" * 100_000})),
    Replies("an empty key", MINT, reply(json={"value": ""})),
    Replies("a key that is none", MINT, reply(json={"value": {"value": MARK}})),
    Replies("201 for a key", MINT, reply(status=201)),
    Replies("a redirect for a key", MINT, reply(status=307, headers=ELSEWHERE)),
    Replies("an error that is a text", MINT, {"status": 400, **reply(body='{"error":"boom"}')},
        "profile_refused"),
    Replies("an error that is deep", MINT, {"status": 400, **reply(body='{"error":' + DEEP)},
        "profile_refused"),
    Replies("an error's code that is none", MINT, {"status": 403, **reply(
        body=json.dumps({"error": {"code": {"a": MARK}, "message": [MARK], "param": 1}}))},
        "upstream_forbidden"),
    Replies("a wait to the year 9999", MINT, {"status": 429,
        "retry_after": "Fri, 31 Dec 9999 23:59:59 -1200"}, "upstream_quota"),
    Replies("a wait to the year 1", MINT, {"status": 429, "times": 1,
        "retry_after": "Mon, 01 Jan 0001 00:00:00 +1400"}, ""),
    *[Replies(f"a wait of {wait[:20]}", MINT, {"status": 429, "retry_after": wait},
        "upstream_quota")
        for wait in ("1e308", "nan", "inf", "9" * 400, "-1", MARK, "6m0s", "Fri, 99 Foo 9999")],
    Replies("a reset for a key", MINT, {"reset": True}, "upstream_unreachable"),
    Replies("one reset for a key", MINT, {"reset": True, "times": 1}, ""),
    Replies("a key that drips", MINT, {"drip_seconds": 0.05}, "upstream_timeout"),
    Replies("a key whose body drips", MINT, {"drip_seconds": 0.05, "drip": "body"},
        "upstream_timeout"),
    Replies("a key that comes late", MINT, {"delay_seconds": 30}, "upstream_timeout"),
    Replies("a key's connection that is forgotten", MINT, {"forget_after_seconds": 0}, ""),
    Replies("a key's connection that is reset later", MINT,
        {"forget_after_seconds": 0, "reset": True}, ""),

    Replies("an answer that is no SDP", OFFER, reply(body=MARK)),
    Replies("an answer that is nothing", OFFER, reply(body="")),
    Replies("an answer that is no UTF-8", OFFER, reply(body="v=0\r\n\udcff")),
    Replies("an answer of 300 KB", OFFER, reply(body="v=0\r\n" + "a=x\r\n" * 60_000)),
    Replies("no Location", OFFER, reply(headers={"Location": None})),
    Replies("an empty Location", OFFER, reply(headers={"Location": ""})),
    *[Replies(f"a Location of {place[:40]!r}", OFFER, reply(headers={"Location": place}))
        for place in ("/", "/v1/realtime/calls", CALLS, CALLS + "../../x", CALLS + "rtc_",
            CALLS + "rtc_%0d%0a", CALLS + "rtc_\u00e4", CALLS + "rtc_" + "a" * 200,
            CALLS + "rtc_" + "b" * 6000, CALLS + "?rtc_a", CALLS + "#rtc_a", "http://[", MARK)],
    Replies("200 for an answer", OFFER, reply(status=200), ""),
    Replies("204 for an answer", OFFER, reply(status=204)),
    Replies("202 for an answer", OFFER, reply(status=202)),
    Replies("an offer refused by a text", OFFER, {"status": 400, **reply(body='{"error":"boom"}')},
        "offer_refused"),
    Replies("an offer refused by a page", OFFER, {"status": 503, **reply(body=f"<h1>{MARK}</h1>")}),
    Replies("a wait of 1e308 for an answer", OFFER, {"status": 429, "retry_after": "1e308"},
        "upstream_quota"),
    Replies("a reset for an answer", OFFER, {"reset": True}, "upstream_unreachable"),
    Replies("an answer that drips", OFFER, {"drip_seconds": 0.05}, "upstream_timeout"),
    Replies("an answer whose body drips", OFFER, {"drip_seconds": 0.05, "drip": "body"},
        "upstream_timeout"),
    Replies("an answer that comes late", OFFER, {"delay_seconds": 30}, "upstream_timeout"),

    Replies("a hang-up that drips", HANG_UP, {"drip_seconds": 0.05}, "upstream_timeout"),
    Replies("a hang-up whose body drips", HANG_UP,
        {"drip_seconds": 0.05, "drip": "body", **reply(body="x" * 100)}, ""),
    Replies("a hang-up that comes late", HANG_UP, {"delay_seconds": 30}, "upstream_timeout"),
    Replies("a hang-up that is reset", HANG_UP, {"reset": True}, "upstream_unreachable"),
    Replies("one hang-up that is reset", HANG_UP, {"reset": True, "times": 1}, ""),
    Replies("a hang-up that a gateway refuses", HANG_UP, {"status": 404, **reply(body=MARK)}),
    Replies("a hang-up of a deployment", HANG_UP, {"status": 404, "code": "DeploymentNotFound"}),
    Replies("a hang-up with a deep refusal", HANG_UP, {"status": 404, **reply(body=DEEP)}),
    *[Replies(f"a hang-up with {status}", HANG_UP, {"status": status}, code)
        for status, code in ((401, "upstream_access_denied"), (403, "upstream_region"),
            (429, "upstream_quota"), (500, "upstream_failed"), (504, "upstream_timeout"))],
    Replies("a hang-up with a redirect", HANG_UP, reply(status=302, headers=ELSEWHERE)),
    Replies("a hang-up's connection that is forgotten", HANG_UP, {"forget_after_seconds": 0}, ""),
    Replies("a hang-up with a page", HANG_UP, reply(body=MARK * 1000), ""),
]  # fmt: skip


@contextmanager
def within(stack: Stack, budget: timedelta, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What goes upstream for one request may take no longer, and is tried again at once."""
    process, broker = lazy_broker.PROCESS, stack.broker
    policy = replace(broker.calls.policy, budget=budget)
    with monkeypatch.context() as patch:
        patch.setattr(
            process, "opened", replace(broker, calls=replace(broker.calls, policy=policy))
        )
        patch.setattr(termination, "HANG_UP_BUDGET", budget)
        soon = replace(
            broker.model.default.realtime.client.timeouts, backoff=timedelta(milliseconds=5)
        )
        patch.setattr(broker.model.default.realtime.client, "timeouts", soon)
        yield


async def ask(stack: Stack, case: Replies, headers: dict[str, str], offer: str) -> str:
    """Has the broker make the request; gives the problem code in its answer. A call that begins is
    hung up."""
    if case.route == MINT:
        return (await answer_to(stack.http.get(f"{stack.url}/api/token", headers=headers)))[0]
    typed = {**headers, "Content-Type": "application/sdp"}
    url = f"{stack.url}/api/connect"
    code, place = await answer_to(stack.http.post(url, data=offer, headers=typed))
    if not code:
        hung_up = stack.http.post(f"{stack.url}{place}/hangup", headers=headers)
        assert (await answer_to(hung_up))[0] == ""
    return code


async def answer_to(asking: Any) -> tuple[str, str]:
    """The problem code in the broker's answer, and its Location."""
    async with asking as answer:
        if answer.status < 300:
            return "", call_path(answer)
        assert answer.status != 500
        assert answer.content_type == "application/problem+json"
        text = await answer.text()
        assert MARK not in text
        return str(json.loads(text)["code"]), ""


@pytest.mark.usefixtures("after_faults")
@pytest.mark.parametrize("case", REPLIES, ids=lambda case: case.name)
async def test_what_a_request_gets(
    stack: Stack, case: Replies, monkeypatch: pytest.MonkeyPatch
) -> None:
    if case.route == HANG_UP:
        await hang_up_with(stack, case, monkeypatch)
        return
    caller, headers = Caller(), signed_in(f"user of {case.name}")
    offer = await caller.offer()
    await caller.close()
    async with stack.watched():
        await stack.emulator.change({"faults": {case.route: [case.fault]}})
        with within(stack, case.budget, monkeypatch):
            assert await ask(stack, case, headers, offer) == case.code
        if case.is_hung_up:
            assert not await live_calls_of(stack, offer)
        await stack.emulator.change({"faults": {case.route: []}})
        assert await ask(stack, case, headers, offer) == ""


async def hang_up_with(stack: Stack, case: Replies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its caller hears that the call is over if upstream has confirmed it, and it counts until
    then."""
    async with stack.call() as call:
        await stack.emulator.change({"faults": {HANG_UP: [case.fault]}})
        url = f"{stack.url}{call.place}/hangup"
        with within(stack, case.budget, monkeypatch):
            code, _ = await answer_to(stack.http.post(url, headers=call.headers))
        assert code == case.code
        assert (call.record.ended_at is None) == bool(code)
        assert call.counted.live_calls == bool(code)
        await stack.emulator.change({"faults": {HANG_UP: []}})


async def live_calls_of(stack: Stack, offer: str) -> list[str]:
    """The ids of the calls that an offer has begun and that go on."""
    sess_id = offer.partition("o=- ")[2].partition(" ")[0]
    calls = (await stack.emulator.state())["calls"]
    return [one["id"] for one in calls if one["sess_id"] == sess_id and one["live"]]
