"""How many calls one emulator carries: processor time a second of a call, with real media.

One emulator in a process of its own; the callers in another (`bench.harness.webrtc_callers`). The
emulator is measured with the workers it recognises and synthesises speech with. The calls that a
core carries are the inverse of the share of a core that one call takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.contenders.servers import Log
from bench.harness.processes import python_module, run_for_json, running_server
from bench.harness.webrtc_callers import TURN_SECONDS, Activity, CallGroup
from bench.report.stats import medians, ratio

CALLS = (8,)
SECONDS = 4.0
ACTIVITIES: tuple[Activity, ...] = ("idle", "listens", "talks")
Rounds = Mapping[Activity, Mapping[int, list[dict[str, Any]]]]
"""What came of each round, by what the callers do and how many there are."""


async def run(log: Log, *, rounds: int) -> dict[str, Any]:
    """Every activity with every number of callers; medians over `rounds`.

    The activities take turns. `core_share` is 1.0 for a call that keeps one core busy.
    """
    seen: Rounds = {each: {number: [] for number in CALLS} for each in ACTIVITIES}
    command = python_module("realtime_emulator", "--port", "0", "--exit-with-parent")
    async with running_server("emulator", command) as (url, child):
        # It is ready before its voice and its recogniser are loaded.
        first = CallGroup(url, child.process.pid, 1, "idle", seconds=1)
        await measure_group(first)
        for _ in range(rounds):
            for number in CALLS:
                for activity, each in seen.items():
                    group = CallGroup(url, child.process.pid, number, activity, SECONDS)
                    if activity == "talks":  # whole turns
                        group = replace(group, settle=TURN_SECONDS, seconds=TURN_SECONDS)
                    found = await measure_group(group)
                    each[number].append(found)
                    log(
                        f"  {number} calls, {activity}: {100 * (found['core_share'] or 0):.1f}% of "
                        f"a core each, {found['frames_a_second']:.1f} frames/s heard"
                    )
    return summarise(seen)


async def measure_group(group: CallGroup) -> dict[str, Any]:
    return await run_for_json(python_module("bench.harness.webrtc_callers", group.json()))


def summarise(seen: Mapping[Activity, Mapping[int, Sequence[Mapping[str, Any]]]]) -> dict[str, Any]:
    """Medians for each number of calls; the calls a core carries, by the largest group.

    In a small group a call bears more of what the process does anyway.
    """
    kinds: dict[str, Any] = {}
    for activity, each in seen.items():
        groups = {str(number): medians(found) for number, found in each.items()}
        share = groups[str(max(each))].get("core_share")
        kinds[activity] = {"calls": groups, "core_share": share, "calls_a_core": ratio(1.0, share)}
    return {"kinds": kinds}
