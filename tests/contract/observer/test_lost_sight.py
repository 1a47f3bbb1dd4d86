"""A call that can no longer be seen is not over: it is dialled again, ever more seldom, and only
upstream's answer to a hang-up ends it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from shared.core.problems import Problem
from shared.observer.context import Outcome
from shared.sideband.refusals import REFUSING_ERRORS
from shared.sideband.sideband import NoSuchCall, Sideband, SidebandUnavailable
from tests.contract.observer.harness import HELLO, ObservedCalls, observed_calls, timing_of
from tests.contract.observer.scripted_sideband import ScriptedSideband
from tests.support.patience import PATIENCE

UNHELD = timing_of(holds_after=timedelta(minutes=1))
"""No connection holds here."""
SPOKEN = {
    "type": "conversation.item.added",
    "previous_item_id": None,
    "item": {"id": "a", "type": "message", "role": "user", "content": []},
}


class Dials:
    """A `Connect` whose dials are answered in turn, and then as `then` says."""

    def __init__(self, *answers: Sideband | Exception, then: Any = None) -> None:
        self.answers = list(answers)
        self.then = then
        self.times: list[float] = []

    async def __call__(self, call_id: str) -> Sideband:
        self.times.append(asyncio.get_running_loop().time())
        answer = self.answers.pop(0) if self.answers else self.then
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = await answer(call_id)
        assert answer is not None
        return answer


class HangUps:
    """Hang-ups that are confirmed once `confirmed` is set."""

    def __init__(self) -> None:
        self.confirmed = False
        self.asked = 0

    async def __call__(self) -> str:
        self.asked += 1
        if not self.confirmed:
            raise Problem("upstream_failed")
        return "gone"


def error(code: str) -> dict[str, Any]:
    return {"type": "error", "event_id": "event_1", "error": {"type": "x", "code": code}}


def kinds(it: ObservedCalls, call_id: str) -> list[str]:
    return [line.kind for line in it.lines(call_id)]


@pytest.mark.parametrize("events", [(), (SPOKEN,)], ids=["silent", "one event"])
@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012, 1013, 4999])
async def test_a_call_goes_on_however_often_its_sideband_closes(
    code: int, events: tuple[dict[str, Any], ...]
) -> None:
    async with observed_calls() as it:
        call = await it.call()
        closing = [ScriptedSideband(*events, code) for _ in range(4)]
        hang_ups = HangUps()
        dials = Dials(*closing, then=it.connect)
        watching = it.begin(call.id, parts={"connect": dials, "hang_up": hang_ups})
        gap = await it.written(call.id, lambda line: line.kind == "gap")
        assert gap.fields["reason"] == "reconnected"
        assert hang_ups.asked == 0
        await call.turn("hello")
        await it.recorded(call.id, HELLO)
        await call.hang_up()
        hang_ups.confirmed = True
        assert (await watching.done()).outcome is Outcome.ENDED
        assert kinds(it, call.id).count("gap") == 1


async def test_the_pauses_between_dials_grow_until_a_connection_holds() -> None:
    async with observed_calls() as it:
        call = await it.call()
        dials = Dials(*(ScriptedSideband(1000) for _ in range(7)), then=it.connect)
        first = timedelta(milliseconds=10)
        timing = timing_of(first_pause=first, longest_pause=first * 8)
        watching = it.begin(call.id, timing, parts={"connect": dials})
        await it.written(call.id, lambda line: line.kind == "gap")
        pauses = [
            after - before for before, after in zip(dials.times, dials.times[1:], strict=False)
        ]
        least = [0.01, 0.0175, 0.030, 0.053, 0.06, 0.06, 0.06]
        assert all(pause >= wanted for pause, wanted in zip(pauses, least, strict=True))
        await call.hang_up()
        await watching.done()


async def test_a_refusal_about_key_quota_or_policy_is_not_dialled_again() -> None:
    closes = {str(code): (code,) for code in (1008, 3000, 3003)}
    errors = {name: (error(name), 1000) for name in sorted(REFUSING_ERRORS)}
    async with observed_calls() as it:
        for reason, events in {**closes, **errors}.items():
            call_id, hang_ups = f"rtc_{reason}", HangUps()
            dials = Dials(ScriptedSideband(*events))
            parts = {"connect": dials, "hang_up": hang_ups}
            observed = await it.begin(call_id, UNHELD, parts=parts).done()
            assert (observed.outcome, observed.reason) == (Outcome.UNREACHABLE, reason)
            assert len(dials.times) == 1
            assert hang_ups.asked == 0
            assert it.transcript(call_id).ended is None
            detached = [line for line in it.lines(call_id) if line.kind == "detached"]
            assert [line.fields["reason"] for line in detached] == [f"unreachable: {reason}"]


async def test_a_refusal_after_a_connection_that_held_is_dialled_again() -> None:
    async with observed_calls() as it:
        call = await it.call()
        timing = timing_of(holds_after=timedelta(0))
        dials = Dials(ScriptedSideband(1008), then=it.connect)
        watching = await it.watch(call, timing, parts={"connect": dials})
        await it.written(call.id, lambda line: line.kind == "gap")
        await call.hang_up()
        await watching.done()


async def test_an_outage_of_several_runs_is_one_gap() -> None:
    async with observed_calls() as it:
        call = await it.call()
        refusing = [ScriptedSideband(error("insufficient_quota"), 1000) for _ in range(3)]
        for sideband in refusing:
            parts = {"connect": Dials(sideband)}
            outcome = (await it.begin(call.id, UNHELD, parts=parts).done()).outcome
            assert outcome is Outcome.UNREACHABLE
        last = await it.watch(call)
        gap = await it.written(call.id, lambda line: line.kind == "gap")
        lost = next(line for line in it.lines(call.id) if line.kind == "lost")
        assert gap.fields["since"] == lost.at.isoformat(timespec="milliseconds")
        await call.hang_up()
        await last.done()
        entries = it.transcript(call.id).entries
        assert [entry.reason for entry in entries] == ["reconnected"]


async def test_a_404_of_a_gateway_is_not_the_end_of_a_call() -> None:
    async with observed_calls(faults={"sideband": [{"status": 404}]}) as it:
        hang_ups = HangUps()
        observed = await it.begin("rtc_1", parts={"hang_up": hang_ups}).done()
        assert (observed.outcome, observed.reason) == (Outcome.UNREACHABLE, "refused with 404")
        assert (await it.state())["requests"]["sideband"] == 5, "it may know a new call soon"
        assert hang_ups.asked == 0


async def test_a_404_of_a_gateway_after_a_connection_is_not_the_end_of_a_call() -> None:
    async with observed_calls() as it:
        hang_ups = HangUps()
        dials = Dials(ScriptedSideband(SPOKEN, 1000), SidebandUnavailable(404))
        parts = {"connect": dials, "hang_up": hang_ups}
        assert (await it.begin("rtc_1", parts=parts).done()).outcome is Outcome.UNREACHABLE
        assert hang_ups.asked == 0
        assert it.transcript("rtc_1").ended is None


@pytest.mark.parametrize("attached_before", [False, True])
async def test_a_404_of_the_endpoint_is_believed_once_a_hang_up_confirms_it(
    attached_before: bool,
) -> None:
    async with observed_calls() as it:
        hang_ups = HangUps()
        sidebands = [ScriptedSideband(SPOKEN, 1000)] if attached_before else []
        parts = {"connect": Dials(*sidebands, then=NoSuchCall()), "hang_up": hang_ups}
        unsure = await it.begin("rtc_1", parts=parts).done()
        assert (unsure.outcome, unsure.settled_by) == (Outcome.UNREACHABLE, "")
        assert it.transcript("rtc_1").ended is None
        hang_ups.confirmed = True
        sure = await it.begin("rtc_1", parts=parts).done()
        assert sure.outcome is (Outcome.ENDED if attached_before else Outcome.NOT_FOUND)
        assert sure.settled_by == "gone"
        assert it.transcript("rtc_1").ended == ("gone" if attached_before else None)


async def test_a_session_that_expired_is_over_once_a_hang_up_confirms_it() -> None:
    async with observed_calls() as it:
        hang_ups = HangUps()
        expiring = ScriptedSideband(error("session_expired"), 1001)
        parts = {"connect": Dials(expiring), "hang_up": hang_ups}
        assert (await it.begin("rtc_1", parts=parts).done()).outcome is Outcome.UNREACHABLE
        assert it.transcript("rtc_1").ended is None


async def test_an_end_that_an_earlier_release_wrote_is_confirmed_too() -> None:
    async with observed_calls() as it:
        call = await it.call()
        watching = await it.watch(call)
        await call.hang_up()
        await watching.done()
        hang_ups = HangUps()
        parts = {"hang_up": hang_ups}
        assert (await it.begin(call.id, parts=parts).done()).outcome is Outcome.UNREACHABLE
        hang_ups.confirmed = True
        observed = await it.begin(call.id, parts=parts).done()
        assert (observed.outcome, observed.settled_by) == (Outcome.ENDED, "gone")


async def test_a_run_is_killed_during_an_outage_and_the_next_one_states_all_of_it() -> None:
    async with observed_calls() as it:
        call = await it.call()
        waiting = asyncio.Event()

        async def never(_: str) -> Sideband:
            waiting.set()
            await asyncio.Event().wait()
            raise AssertionError

        flapping = Dials(ScriptedSideband(1000), ScriptedSideband(1000), then=never)
        first = it.begin(call.id, UNHELD, parts={"connect": flapping})
        async with asyncio.timeout(PATIENCE):
            await waiting.wait()
        lost = await it.written(call.id, lambda line: line.kind == "lost")
        await it.kill(first)
        it.skip += timedelta(seconds=31)
        second = await it.watch(call)
        gap = await it.written(call.id, lambda line: line.kind == "gap")
        assert gap.fields["since"] == lost.at.isoformat(timespec="milliseconds")
        await call.hang_up()
        await second.done()


@pytest.mark.parametrize("way", ["killed", "stopped"])
async def test_a_run_that_ends_while_it_dials_again_leaves_a_gap(way: str) -> None:
    async with observed_calls() as it:
        closing, dialling = ScriptedSideband(SPOKEN), asyncio.Event()

        async def never(_: str) -> Sideband:
            dialling.set()
            await asyncio.Event().wait()
            raise AssertionError

        timing = timing_of(lost_after=timedelta(0 if way == "killed" else 60))
        first = it.begin("rtc_1", timing, parts={"connect": Dials(closing, then=never)})
        await it.written("rtc_1", lambda line: line.kind == "placed")
        closing.events.put_nowait(1000)
        if way == "killed":
            await it.written("rtc_1", lambda line: line.kind == "lost")
            await it.kill(first)
        else:
            async with asyncio.timeout(PATIENCE):
                await dialling.wait()
            first.task.cancel()
            await asyncio.gather(first.task, return_exceptions=True)
        lost = await it.written("rtc_1", lambda line: line.kind == "lost")
        it.skip += timedelta(seconds=31)
        second = it.begin("rtc_1", parts={"connect": Dials(ScriptedSideband())})
        gap = await it.written("rtc_1", lambda line: line.kind == "gap")
        assert gap.fields["since"] == lost.at.isoformat(timespec="milliseconds")
        second.task.cancel()


async def test_a_renewed_lease_does_not_prove_that_the_call_was_followed() -> None:
    """The connection was dead and nobody knew: a run finds out by its pings."""
    async with observed_calls(lasts=timedelta(milliseconds=300)) as it:
        timing = timing_of(unnoticed=timedelta(seconds=40))
        half_open = ScriptedSideband(SPOKEN)
        first = it.begin("rtc_1", timing, parts={"connect": Dials(half_open)})
        spoken = await it.written("rtc_1", lambda line: line.kind == "placed")
        it.leases.renewed.clear()
        async with asyncio.timeout(PATIENCE):
            await it.leases.renewed.wait()
        await it.kill(first)
        it.skip += timedelta(seconds=1)
        second = it.begin("rtc_1", timing, parts={"connect": Dials(ScriptedSideband())})
        gap = await it.written("rtc_1", lambda line: line.kind == "gap")
        assert gap.fields["since"] <= spoken.at.isoformat(timespec="milliseconds")
        second.task.cancel()


@pytest.mark.parametrize("code", ["credential_unavailable", "vault_unavailable"])
async def test_a_call_is_dialled_again_when_there_is_a_credential_again(code: str) -> None:
    async with observed_calls() as it:
        call = await it.call()
        dials = Dials(ScriptedSideband(SPOKEN, 1000), Problem(code), then=it.connect)
        watching = await it.watch(call, parts={"connect": dials})
        gap = await it.written(call.id, lambda line: line.kind == "gap")
        assert gap.fields["reason"] == "reconnected"
        await call.hang_up()
        assert (await watching.done()).outcome is Outcome.ENDED
