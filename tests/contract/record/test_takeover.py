"""An instance is killed during its calls; another one takes all of them over."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

import pytest

from realtime_emulator.caller import Caller
from shared.observer.leases import LEASE_DURATION
from tests.contract.record.conftest import RunningBroker, poll_until, running_broker
from tests.support.patience import PATIENCE
from tests.support.voice import SPEECH, read_wav

ANSWERED = "response.output_audio_transcript.done"
# TEST_CALLS=20 makes it a crowd; a few calls show the same on a busy machine.
CALLS = int(os.environ.get("TEST_CALLS", "4"))


def observed(state: Any) -> int:
    """How many calls have an observer."""
    return sum(call["live"] and call["observers"] == 1 for call in state["calls"])


def counted(call: dict[str, Any]) -> int:
    """The tokens of a call as the emulator counted them."""
    return int(call["usage"]["total_tokens"])


async def answered(caller: Caller) -> None:
    """Says hello and waits for the answer.

    It is repeated only if it was not heard: a greeting that waits for its answer, however long that
    takes on a busy machine, would be interrupted by the next.
    """
    for _ in range(4):
        caller.say(*read_wav(SPEECH / "hello.wav"))
        with contextlib.suppress(TimeoutError):
            await caller.expect("input_audio_buffer.speech_stopped", timeout=15)
            break
    try:
        await caller.expect(ANSWERED, timeout=120)
    except TimeoutError:
        raise AssertionError(f"never answered: {caller.types()}") from None


async def turns_timed(work: RunningBroker, host: int = 0) -> int:
    """How many turns the reports count, over the calls of every test before."""
    rows = (await work.get("/api/latency", host=host, by="model"))["latency"]
    return sum(row["turns"] for row in rows)


@pytest.mark.timeout(300)
async def test_calls_of_a_killed_host_are_taken_over_and_their_records_are_whole() -> None:
    """Half of the calls are observed by the host that will be killed: it was alone when they
    began. Any host may observe the others, which begin at the second one."""
    async with running_broker() as work:
        before, turns_before = await work.records(), await turns_timed(work)
        callers: list[Caller] = []
        for number in range(CALLS):
            if number == CALLS // 2:
                await poll_until(work.state, lambda state: observed(state) == CALLS // 2)
                await work.hosts.start_another()
            caller, _ = await work.call(f"takeover-{number}", host=int(number >= CALLS // 2))
            callers.append(caller)
        await poll_until(work.state, lambda state: observed(state) == CALLS)
        await asyncio.gather(*(answered(caller) for caller in callers))

        killed, _ = work.hosts.programs
        killed.process.kill()
        await killed.process.wait()
        began = asyncio.get_running_loop().time()
        for caller in callers:  # said while no observer may be attached
            caller.say(*read_wav(SPEECH / "hello.wav"))
        await poll_until(work.state, lambda state: observed(state) <= CALLS - CALLS // 2)
        taken_over = LEASE_DURATION.total_seconds() + PATIENCE
        await poll_until(work.state, lambda state: observed(state) == CALLS, within=taken_over)
        took = asyncio.get_running_loop().time() - began
        assert took <= LEASE_DURATION.total_seconds() + 5, f"{took:.1f} s"
        await asyncio.gather(*(answered(caller) for caller in callers))
        for caller in callers:
            await caller.close()

        async def mine() -> list[dict[str, Any]]:
            found = [
                one for name, one in (await work.records(host=1)).items() if name not in before
            ]
            return [one for one in found if one["status"] == "ended"]

        records = await poll_until(mine, lambda found: len(found) == CALLS)
        stated = 0
        emulated = {call["started_at"]: call for call in (await work.state())["calls"]}
        by_order = [emulated[key] for key in sorted(emulated)]
        for record, call in zip(
            sorted(records, key=lambda one: one["started_at"]), by_order, strict=True
        ):
            whole = await work.transcript(record["id"], host=1)
            entries = whole["transcript"]["entries"]
            items = [entry["item_id"] for entry in entries if entry.get("item_id")]
            assert len(items) == len(set(items)), "every line once"
            gaps = [entry for entry in entries if entry["kind"] == "gap"]
            stated += len(gaps)
            recorded = sum(record["usage"].values()) - sum(
                tokens for kind, tokens in record["usage"].items() if kind.startswith("cached")
            )
            assert recorded == counted(call) or gaps, (recorded, counted(call))
            assert recorded <= counted(call)
            assert {"user", "assistant"} <= {entry.get("role") for entry in entries}
            turns = whole["transcript"].get("turns", [])
            assert record["latency"]["turns"] == len(turns), "each turn is timed once"
            assert {turn.get("item_id") for turn in turns} <= set(items)
        assert stated, "gaps are stated"
        turns_now = await turns_timed(work, host=1)
        assert turns_now - turns_before == sum(one["latency"]["turns"] for one in records)
