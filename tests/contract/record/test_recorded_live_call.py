"""A GPT-Live call of a minute whose host is killed in the middle: both voices are in one file."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

import pytest

from realtime_emulator.caller import Caller
from shared.observer.leases import LEASE_DURATION
from tests.contract.record.conftest import ADMIN, RunningBroker, poll_until, running_broker
from tests.support.patience import PATIENCE
from tests.support.recorded_voices import play, understood
from tests.support.voice import SPEECH, read_wav

SECONDS = 60
ANSWERS = [
    {"words": ["hello"], "say": "What is the weather in London?"},
    {"words": ["weather"], "say": "Hello, can you hear me?"},
]
"""Words that the recogniser understands when the emulator's voice says them."""
SAID = {"caller": ["hello", "weather"], "model": ["weather in london", "hear me"]}
OUTPUT, CLOSED = "session.output_transcript.delta", "session.closed"


def recorded_settings() -> dict[str, str]:
    return {"RECORDINGS": "on", "LIMIT_CALL_SECONDS": "300"}


async def ask(caller: Caller, name: str, answer: str) -> None:
    """Says it, and waits until the model's answer has been written out. On a busy machine words are
    lost or mistaken: then it is said again."""
    for _ in range(3):
        caller.say(*read_wav(SPEECH / name))
        said = ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE / 2):
                while answer not in said.lower():
                    said += (await caller.expect(OUTPUT))["delta"]
                return
    raise AssertionError(f"never answered with {answer}: {caller.types()}")


async def fetch(work: RunningBroker, call: str, host: int) -> bytes:
    """The recording, part by part."""
    url = f"{work.hosts.programs[host].url}/api/calls/{call}/recording"
    body, length = b"", 1
    while len(body) < length:
        headers = {**ADMIN, "Range": f"bytes={len(body)}-"}
        async with work.session.get(url, headers=headers) as answer:
            assert answer.status == 206, await answer.text()
            body += await answer.read()
            length = int(answer.headers["Content-Range"].rpartition("/")[2])
    return body


def words_of(entries: list[dict[str, Any]], role: str) -> str:
    """What one side said, as the transcript has it, in plain lower-case words."""
    text = " ".join(entry["text"] or "" for entry in entries if entry.get("role") == role)
    return " ".join(re.findall(r"[a-z']+", text.lower()))


async def one_live_call(work: RunningBroker) -> Any:
    """The emulator's session once an observer is attached."""

    def observed(state: Any) -> bool:
        return any(one["live"] and one["observers"] == 1 for one in state["sessions"])

    within = LEASE_DURATION.total_seconds() + PATIENCE
    return await poll_until(work.state, observed, within=within)


@pytest.mark.timeout(300)
async def test_both_voices_of_a_call_whose_host_is_killed() -> None:
    async with running_broker(settings=recorded_settings()) as work:
        await work.configure_emulator(rules=ANSWERS)
        caller, _ = await work.call("recorded", profile="live")
        began = asyncio.get_running_loop().time()
        await one_live_call(work)
        await work.hosts.start_another()
        await ask(caller, "hello.wav", "london")
        await asyncio.sleep(5)  # until it is written: what was not would be lost with the host
        killed = work.hosts.programs[0]
        killed.process.kill()
        await killed.process.wait()
        await poll_until(
            work.state, lambda state: all(one["observers"] == 0 for one in state["sessions"])
        )
        before = next(iter(await work.records(host=1)))
        left, _ = play(await fetch(work, before, 1))
        (so_far,) = await understood(left)
        assert "hello" in " ".join(words for _, words in so_far)
        await one_live_call(work)
        await ask(caller, "weather.wav", "hear me")
        # Until the call has lasted as long as it should: nothing else tells.
        await asyncio.sleep(max(3, began + SECONDS - asyncio.get_running_loop().time()))
        async with work.session.post(
            f"{work.hosts.programs[1].url}/api/calls/{before}/hangup", headers=ADMIN
        ) as answer:
            assert answer.status == 204
        lasted = asyncio.get_running_loop().time() - began
        await caller.close()

        async def ended() -> Any:
            return (await work.records(host=1))[before]

        await poll_until(ended, lambda record: record["status"] == "ended")
        shown = await poll_until(
            lambda: work.transcript(before, host=1),
            lambda found: found["transcript"]["ended"] is not None,
        )
        recording = shown["recording"]
        assert abs(recording["duration_ms"] / 1000 - lasted) < 5
        left, right = play(await fetch(work, before, 1))
        sides = zip(SAID, await understood(left, right), strict=True)
        heard = {side: " ".join(words for _, words in ends) for side, ends in sides}
        entries = shown["transcript"]["entries"]
        for side, role in (("caller", "user"), ("model", "assistant")):
            for words in SAID[side]:
                assert words in heard[side], (side, heard, recording)
                assert words in words_of(entries, role), (side, entries)
        # On a busy machine the first observer attaches late.
        missing = [gap for gap in recording["missing"] if gap["reason"] != "late"]
        assert {(gap["side"], gap["reason"]) for gap in missing} == {
            ("caller", "taken over"),
            ("model", "taken over"),
        }
        for gap in missing:
            assert 5_000 < gap["to_ms"] - gap["from_ms"] < 60_000
            for pcm, side in ((left, "caller"), (right, "model")):
                if side == gap["side"]:
                    silent = pcm[gap["from_ms"] * 32 + 320 : gap["to_ms"] * 32 - 320]
                    assert not any(silent)
