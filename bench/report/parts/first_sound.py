"""The page: from the end of speech to the first sound of the answer. Pure."""

from __future__ import annotations

from bench.report.chart import Bar, bars
from bench.report.figures import Figure, relative
from bench.report.registry import Found, block, figures, picture
from bench.report.stats import EACH_ROUND
from bench.report.tables import table
from bench.report.targets import FIRST_SOUND

TITLES = {"page": "our page", "bare page": "a bare page"}


@block("sound")
def sound(found: Found) -> str:
    one = found["sound"]
    rows = [
        (
            *(TITLES[name], each["first_ms"], each["model_ms"], each["page_ms"]),
            *(edge(each[EACH_ROUND]["page_ms"]) for edge in (min, max)),
            each["buffer_ms"],
        )
        for name, each in one["pages"].items()
    ]
    head = (
        *("ms", "end of speech to first sound", "of it the model's", "the rest"),
        *("least", "most", "in the jitter buffer"),
    )
    said = f"Ratio of the rest: {one['ratio']:.2f}; {one['rounds']} turns each."
    return f"{table(head, rows)}\n\n{said}"


@figures("sound")
def sound_ratio(found: Found) -> list[Figure]:
    ours, bare = (found["sound"]["pages"].get(name, {}) for name in TITLES)
    return [relative(FIRST_SOUND, "less", ours, bare, "page_ms")]


@picture("bench-sound.svg", "sound")
def sound_picture(found: Found) -> str:
    one = found["sound"]
    drawn = [
        Bar(title, name, each[figure])
        for title, figure in (("all of it", "first_ms"), ("without the model's", "page_ms"))
        for name, each in one["pages"].items()
    ]
    note = f"median of {one['rounds']} turns in Chromium, as the tab sounds; the emulator answers"
    return bars("From the end of speech to the answer's first sound", "ms", drawn, note=note)
