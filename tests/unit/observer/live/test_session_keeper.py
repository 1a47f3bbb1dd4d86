"""The session of a Live call: what a page changes is put back, and what it does is on record."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from openai.types.live import SessionUpdateEvent

from shared.observer import session_overrides
from shared.observer.live import session_keeper
from shared.observer.live.session_guard import MAX_RESTORES, UPDATABLE, LiveSessionGuard
from tests.support.live_recordings import server_events
from tests.unit.observer.live.harness import BACKEND, CLIENT, RESPONSES, LiveRun, live_run

QUICK = timedelta(milliseconds=10)
ECHOED = {
    **copy.deepcopy(RESPONSES),
    "id": "live_u0_test",
    "expires_at": 1,
    "status": "active",
    "input": [],
}
ECHOED["delegation"]["responses"]["tool_choice"] = "auto"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_overrides, "FIRST_PAUSE", QUICK)
    monkeypatch.setattr(session_overrides, "LONGEST_PAUSE", QUICK)
    monkeypatch.setattr(session_keeper, "ANSWERED_WITHIN", QUICK)


def echoed(**responses: Any) -> dict[str, Any]:
    session = copy.deepcopy(ECHOED)
    session["delegation"]["responses"] |= responses
    return session


def updates(run: LiveRun) -> list[dict[str, Any]]:
    found = [each for each in run.connection.all if each["type"] == "session.update"]
    for each in found:
        SessionUpdateEvent.model_validate(each)
    return found


async def test_the_state_is_read_by_an_update_that_changes_nothing() -> None:
    async with live_run(RESPONSES) as run:
        await run.controller.request_state()
        assert [each["session"] for each in updates(run)] == [{}]


async def test_a_session_as_the_service_echoes_it_is_left_alone() -> None:
    async with live_run(RESPONSES) as run:
        run.tell("session.started", session=ECHOED)
        run.tell("session.updated", session=echoed(reasoning=None, parallel_tool_calls=None))
        azure = {**ECHOED, "context_management": {"type": "compaction"}, "audio": {"output": {}}}
        run.tell("session.updated", session=azure)
        await run.pass_time(3 * QUICK)
        assert updates(run) == []
        assert await run.lines("session") == []


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "gpt-expensive"},
        {"instructions": "Swear."},
        {"tools": []},
        {"tools": [*BACKEND["tools"], {"type": "web_search"}]},
        {
            "tools": [
                {"type": "function", "name": "order_status", "strict": True},
                BACKEND["tools"][1],
            ]
        },
        {"tool_choice": "required"},
        {"max_output_tokens": 1},
        {"reasoning": {"effort": "xhigh"}},
        {"service_tier": "priority"},
        {"tools": [{"type": "function", "name": "order_status", "parameters": [[[]]]}]},
    ],
)
async def test_what_a_page_changes_is_put_back_whole(changed: dict[str, Any]) -> None:
    async with live_run(RESPONSES) as run:
        run.tell("session.updated", session=echoed(**changed))
        sent = await run.sent("session.update")
        delegation = sent["session"]["delegation"]
        assert delegation["type"] == "responses"
        assert BACKEND.items() <= delegation["responses"].items()
        (name,) = changed
        if name not in BACKEND:
            assert delegation["responses"][name] == ("auto" if name == "tool_choice" else None)
        updates(run)
        line, *_ = await run.lines("session")
        assert line.fields == {"overridden": [f"delegation.responses.{name}"], "put_back": True}


async def test_triggers_of_a_page_are_taken_away() -> None:
    async with live_run(CLIENT) as run:
        trigger = {"type": "decisions", "event_type": "session.input_transcript.delta"}
        run.tell("session.updated", session={**CLIENT, "triggers": [trigger]})
        assert (await run.sent("session.update"))["session"] == {"triggers": []}


async def test_triggers_that_the_service_was_not_sent_are_not_missed() -> None:
    trigger = {"type": "decisions", "event_type": "session.input_transcript.delta"}
    async with live_run({**CLIENT, "triggers": [trigger]}) as run:
        run.tell("session.started", session=CLIENT)
        await run.pass_time(3 * QUICK)
        assert updates(run) == []
    guard = LiveSessionGuard({**CLIENT, "triggers": [trigger]})
    assert guard.overridden_fields({**CLIENT, "triggers": [trigger]}) == []
    assert guard.overridden_fields(CLIENT) == ["triggers"], "a page has taken them away"


async def test_two_that_override_each_other_do_not_keep_the_service_busy() -> None:
    async with live_run(RESPONSES) as run:
        for number in range(200):
            run.tell("session.updated", session=echoed(instructions=f"Swear {number}."))
            await run.pass_time(QUICK / 10)
        assert MAX_RESTORES <= len(updates(run)) < 60


async def test_what_is_never_as_the_profile_has_it_is_the_services_own_form() -> None:
    async with live_run(RESPONSES) as run:
        for _ in range(40):
            run.tell("session.updated", session=echoed(model="gpt-5.6-sol-2026"))
            await run.pass_time(QUICK * 1.2)
        count = len(updates(run))
        assert count < 10
        run.tell("session.updated", session=echoed(model="gpt-expensive"))
        await run.sent("session.update")
        await run.pass_time(3 * QUICK)
        assert len(updates(run)) > count


async def test_a_refused_update_is_sent_again_and_on_record() -> None:
    async with live_run(RESPONSES) as run:
        run.tell("session.updated", session=echoed(instructions="Swear."))
        sent = await run.sent("session.update")
        run.fail("immutable_field_update", caused_by=sent["event_id"])
        await run.sent("session.update")
        (failed,) = await run.lines("failed")
        assert failed.fields == {"what": "session_update_refused", "code": "immutable_field_update"}


async def test_a_session_that_cannot_be_read_is_put_back_whole() -> None:
    async with live_run(RESPONSES) as run:
        run.tell("session.updated", session=[1])
        sent = await run.sent("session.update")
        work = sent["session"]["delegation"]["responses"]
        assert BACKEND.items() <= work.items()
        assert {name for name in UPDATABLE["responses"] if name not in work} == set()
        assert work["tool_choice"] == "auto"
        assert work["service_tier"] is None
        assert sent["session"]["delegation"]["acknowledgement_delay_ms"] == 0
        assert sent["session"]["triggers"] == []
        run.fail("invalid_type", caused_by=sent["event_id"])
        sent = await run.sent("session.update")
        wanted = {**BACKEND, "tool_choice": "auto"}
        assert sent["session"]["delegation"]["responses"] == wanted, "what any service takes"


async def test_a_page_does_not_win_by_being_stubborn() -> None:
    """The service takes each restore, and the page has its own way again after each."""
    async with live_run(RESPONSES) as run:
        run.tell("session.started", session=ECHOED)
        for _ in range(3 * MAX_RESTORES):
            run.tell("session.updated", session=echoed(model="gpt-expensive", tools=[]))
            sent = await run.sent("session.update")
            assert BACKEND.items() <= sent["session"]["delegation"]["responses"].items()
            run.tell("session.updated", session=ECHOED, client_event_id=sent["event_id"])


async def test_a_page_that_repeats_itself_is_answered_at_a_bounded_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_overrides, "FIRST_PAUSE", timedelta(seconds=30))
    async with live_run(RESPONSES) as run:
        run.tell("session.started", session=ECHOED)
        for _ in range(50):
            run.tell("session.updated", session=echoed(model="gpt-expensive"))
            await run.settled()
            for sent in updates(run)[-1:]:
                run.tell("session.updated", session=ECHOED, client_event_id=sent["event_id"])
        assert len(updates(run)) == MAX_RESTORES


@pytest.mark.parametrize(
    ("profile", "changed", "name"),
    [
        ({"type": "client"}, {"acknowledgement_delay_ms": 86_400_000}, "acknowledgement_delay_ms"),
        (
            {"type": "decisions", "decisions": {"model": "small", "questions": []}},
            {"decisions": {"model": "expensive", "questions": []}},
            "decisions.model",
        ),
    ],
)
async def test_every_kind_of_delegation_is_guarded(
    profile: dict[str, Any], changed: dict[str, Any], name: str
) -> None:
    guard = LiveSessionGuard({"delegation": profile})
    assert guard.overridden_fields({"delegation": profile}) == []
    other = {"delegation": {**profile, **changed}}
    assert guard.overridden_fields(other) == [f"delegation.{name}"]
    restored = guard.restoring_session(other)
    assert restored is not None
    assert guard.overridden_fields(restored) == []


async def test_names_that_nobody_knows_are_in_no_line() -> None:
    async with live_run(RESPONSES) as run:
        run.tell("session.updated", session=echoed(**{"what a page says": 1}))
        (line,) = await run.lines("session")
        assert line.fields["overridden"] == ["delegation.responses.other"]


async def test_a_session_nested_too_deeply_to_compare_is_put_back() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"a": deep}
    guard = LiveSessionGuard(RESPONSES)
    assert guard.overridden_fields(echoed(reasoning=deep)) == ["delegation.responses.reasoning"]


async def test_a_run_that_takes_over_does_not_put_back_functions_that_cannot_be_answered() -> None:
    async with live_run(RESPONSES) as first:
        first.controller.end_tools()
        sent = await first.sent("session.update")
        assert sent["session"]["delegation"]["responses"]["tools"] == []
        await first.record()
    async with live_run(RESPONSES, log=first.log, holder="run-2") as second:
        second.tell("session.updated", session=echoed(tools=[]))
        await second.settled()
        assert updates(second) == []
        second.tell("session.updated", session=ECHOED)
        sent = await second.sent("session.update")
        assert sent["session"]["delegation"]["responses"]["tools"] == []


async def test_what_only_the_page_can_have_appended_is_on_record() -> None:
    async with live_run(RESPONSES) as run:
        for kind in ("instructions", "thinking", "commentary"):
            run.tell(f"session.{kind}.appended", start_ms=0, end_ms=0, client_event_id="page_1")
        run.tell("session.thinking.appended", start_ms=0, end_ms=0)
        run.tell(
            "session.delegation.created",
            offset_ms=0,
            client_event_id="page_2",
            delegation={"id": "item_1", "type": "delegation", "target": "responses"},
        )
        steered = [each.fields for each in await run.lines("steered")]
        assert steered == [
            {"what": "context", "fields": ["instructions"]},
            {"what": "context", "fields": ["thinking"]},
            {"what": "context", "fields": ["commentary"]},
            {"what": "context", "fields": ["thinking"]},
            {"what": "response"},
        ]


async def test_an_id_of_ours_that_a_page_uses_again_is_not_ours() -> None:
    async with live_run(RESPONSES) as run:
        run.controller.appends.apologise()
        sent = await run.sent("session.commentary.append")
        for _ in range(2):
            run.tell(
                "session.commentary.appended",
                start_ms=0,
                end_ms=0,
                client_event_id=sent["event_id"],
            )
        assert len(await run.lines("steered")) == 1


async def test_an_acknowledgement_that_does_not_say_of_what_is_ours_if_one_is_due() -> None:
    """Azure's documents say that acknowledgements tell no id; its recorded traffic has them."""
    async with live_run(RESPONSES) as run:
        run.controller.appends.apologise()
        await run.sent("session.commentary.append")
        run.tell("session.commentary.appended", start_ms=0, end_ms=0)
        assert await run.lines("steered") == []
        run.tell("session.commentary.appended", start_ms=0, end_ms=0)
        assert len(await run.lines("steered")) == 1


async def test_on_a_service_that_tells_ids_an_acknowledgement_without_one_is_the_pages() -> None:
    async with live_run(RESPONSES) as run:
        run.tell("session.updated", session=ECHOED, client_event_id="obs_1")
        run.controller.appends.apologise()
        sent = await run.sent("session.commentary.append")
        run.tell("session.commentary.appended", start_ms=0, end_ms=0)
        assert len(await run.lines("steered")) == 1
        assert sent["event_id"] in run.controller.appends.awaited
        run.controller.goodbye.told = "obs_2"
        run.tell("session.instructions.appended", start_ms=0, end_ms=0)
        assert not run.controller.goodbye.is_told
        assert len(await run.lines("steered")) == 2


async def test_errors_of_a_page_are_no_failures_of_ours() -> None:
    async with live_run(RESPONSES) as run:
        run.fail("unknown_parameter", caused_by="page_1")
        await run.settled()
        assert await run.lines("failed") == []
        assert len(await run.lines("error")) == 1
        run.fail(None, "The model does not exist.")
        (failed,) = await run.lines("failed")
        assert failed.fields == {"what": "endpoint_error", "code": "invalid_request_error"}


async def test_errors_of_a_page_that_states_no_id_are_no_failures_of_ours() -> None:
    async with live_run(RESPONSES) as run:
        for code in ("unknown_parameter", "invalid_event", "invalid_json", "event_not_allowed"):
            run.fail(code)
        run.fail(None, "Unknown client delegation.")
        await run.settled()
        assert await run.lines("failed") == []
        assert len(await run.lines("error")) == 5
        run.fail("credit_balance_exhausted")
        run.fail(None, "Responses handoff incomplete.")
        run.tell("error", error={"type": "server_error", "code": None, "message": "Sorry."})
        failed = [each.fields for each in await run.lines("failed")]
        assert failed == [
            {"what": "endpoint_error", "code": "credit_balance_exhausted"},
            {"what": "delegation_failed", "code": "handoff_incomplete"},
            {"what": "endpoint_error", "code": "server_error"},
        ]


async def test_what_a_page_sent_is_in_no_line() -> None:
    async with live_run(RESPONSES) as run:
        secret = "my_secret_field"
        error = {
            "type": "invalid_request_error",
            "code": "unknown_parameter",
            "param": f"session.{secret}",
            "message": f"Unknown parameter: 'session.{secret}'.",
        }
        run.tell("error", error=error)
        assert secret not in str(await run.record())


async def test_a_recorded_session_is_its_own_profile() -> None:
    (started,) = [
        frame.data["session"]
        for frame in server_events("oai-ws-delegated-tool-round.jsonl")
        if frame.data["type"] == "session.started"
    ]
    profile = copy.deepcopy(started)
    profile["delegation"]["responses"].pop("tool_choice")
    assert LiveSessionGuard(profile).overridden_fields(started) == []
