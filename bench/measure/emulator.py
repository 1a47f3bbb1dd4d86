"""How many calls one emulator carries: processor time a second of a call, with real media.

    python -m bench.measure.emulator [--seconds 6] [--calls 1,8]

One emulator in a process of its own; the callers in another
(`bench.harness.webrtc_callers`). What is weighed is the emulator with the workers it hears and
speaks with; calls a core is the inverse of what a call takes of one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from bench.harness.processes import module, server, told
from bench.report.stats import middle, ratio
from bench.report.svg import Bar, bars

CALLS = (1, 8)
TURN = 12.0
Doing = Literal["idle", "listens", "talks"]
KINDS: Mapping[Doing, str] = {
    "idle": "silence both ways",
    "listens": "the emulator speaks all the time",
    "talks": f"a turn each {TURN:.0f} s: spoken, understood, answered",
}
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Crowd:
    """`calls` at once to the emulator at `url`, whose process is `pid`, for `seconds`.

    `doing`: `idle`, silence both ways; `listens`, the emulator tells a story without end; `talks`,
    the caller speaks every `TURN` seconds, and is answered. They begin one after another, spread
    over the `settle` seconds before anything is weighed.
    """

    url: str
    pid: int
    calls: int
    doing: Doing
    seconds: float
    settle: float = 3.0

    def json(self) -> str:
        return json.dumps(asdict(self))


async def run(
    say: Say, *, rounds: int, seconds: float = 6, calls: Sequence[int] = CALLS
) -> dict[str, Any]:
    """Every kind of call with every number of callers, for `seconds` each; medians over `rounds`.

    The kinds take turns. `core_share` is 1.0 for a call that keeps one core busy.
    """
    seen: dict[Doing, dict[int, list[dict[str, Any]]]] = {
        kind: {number: [] for number in calls} for kind in KINDS
    }
    command = module("local.emulator", "--port", "0", "--exit-with-parent")
    async with server("emulator", command) as (url, child):
        # It loads its voice and its recogniser while it answers already.
        first = Crowd(url, child.process.pid, 1, "idle", seconds=1)
        await told(module("bench.harness.webrtc_callers", first.json()))
        for _ in range(rounds):
            for number in calls:
                for kind, each in seen.items():
                    crowd = Crowd(url, child.process.pid, number, kind, seconds)
                    if kind == "talks":  # whole turns, and the same number of them each second
                        crowd = replace(crowd, settle=TURN, seconds=TURN)
                    came = dict(
                        json.loads(await told(module("bench.harness.webrtc_callers", crowd.json())))
                    )
                    each[number].append(came)
                    say(
                        f"  {number} calls, {KINDS[kind]}: {portion(came['core_share'])} of a core "
                        f"each, {came['frames_a_second']:.1f} frames/s heard"
                    )
    return summed(seen)


def summed(seen: Mapping[Doing, Mapping[int, Sequence[Mapping[str, Any]]]]) -> dict[str, Any]:
    """Medians for each number of calls; the calls a core carries, by those of the largest crowd.

    In a small crowd a call pays for more of what the process does anyway.
    """
    kinds: dict[str, Any] = {}
    for kind, each in seen.items():
        crowds = {str(number): middle(came) for number, came in each.items()}
        share = crowds[str(max(each))].get("core_share")
        kinds[kind] = {"calls": crowds, "core_share": share, "calls_a_core": ratio(1.0, share)}
    return {"kinds": kinds}


def portion(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def shown(found: Mapping[str, Any]) -> list[str]:
    """The lines of a table."""
    lines = ["", "calls that a core of the emulator carries, with real media"]
    for kind, each in found["kinds"].items():
        number, crowd = list(each["calls"].items())[-1]
        calls = f"{each['calls_a_core']:5.1f}" if each["calls_a_core"] else "    -"
        lines.append(
            f"{calls}  {KINDS[kind]} ({portion(each['core_share'])} of a core each, "
            f"{number} at once, {crowd['frames_a_second']:.1f} frames/s)"
        )
    return lines


def drawn(found: Mapping[str, Any]) -> dict[str, str]:
    """The picture: what a call takes of a core, by its kind and by how many there are."""
    parts = [
        Bar(KINDS[kind], f"{number} call{'s' * (number != '1')}", 100 * crowd["core_share"])
        for kind, each in found["kinds"].items()
        for number, crowd in each["calls"].items()
        if crowd.get("core_share") is not None
    ]
    note = "one emulator process and what it hears and speaks with; callers in another"
    title = "What one call takes of a core, in the emulator"
    return {"bench-emulator.svg": bars(title, "%", parts, note=note)} if parts else {}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.measure.emulator", description=__doc__)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--calls", default=",".join(map(str, CALLS)))
    options = parser.parse_args()
    os.environ.setdefault("NO_PROXY", "127.0.0.1,localhost")
    work = run(
        lambda text: print(text, file=sys.stderr),
        rounds=options.rounds,
        seconds=options.seconds,
        calls=[int(number) for number in options.calls.split(",")],
    )
    print(json.dumps(asyncio.run(work), indent=1))


if __name__ == "__main__":
    main()
