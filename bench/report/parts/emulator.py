"""How many calls one emulator carries. Pure."""

from __future__ import annotations

from bench.report.chart import Bar, bars, plural
from bench.report.figures import Figure, relative
from bench.report.registry import Found, block, figures, picture
from bench.report.tables import table

ACTIVITIES = {
    "idle": "silence both ways",
    "listens": "the emulator speaks all the time",
    "talks": "a turn every 12 s: nine seconds of speech recognised, and answered",
}


@block("emulator")
def emulator(found: Found) -> str:
    return table(
        ("8 calls at once", "% of a core per call", "calls per core"),
        (
            (
                ACTIVITIES[kind],
                None if each["core_share"] is None else each["core_share"] * 100,
                each["calls_a_core"],
            )
            for kind, each in found["emulator"]["kinds"].items()
        ),
    )


@figures("emulator")
def emulator_ratios(found: Found) -> list[Figure]:
    kinds = found["emulator"]["kinds"]
    idle, talks = (kinds.get(kind, {}).get("calls", {}).get("8", {}) for kind in ("idle", "talks"))
    name = "CPU of a call that talks in the emulator, relative to a silent one"
    return [relative(name, "less", talks, idle, "core_share")]


@picture("bench-emulator.svg", "emulator")
def emulator_picture(found: Found) -> str | None:
    titles = {**ACTIVITIES, "talks": "a turn every 12 s: spoken, recognised, answered"}
    drawn = [
        Bar(titles[kind], f"{number} call{plural(number)}", 100 * group["core_share"])
        for kind, each in found["emulator"]["kinds"].items()
        for number, group in each["calls"].items()
        if group.get("core_share") is not None
    ]
    note = "one emulator process with its speech workers; the callers are in another process"
    title = "Share of a core that one call takes in the emulator"
    return bars(title, "%", drawn, note=note) if drawn else None
