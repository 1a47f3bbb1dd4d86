"""The soak. Pure."""

from __future__ import annotations

from bench.report.chart import Bar, bars
from bench.report.registry import Found, block, picture
from tests.soak.report import summary

REQUEST_GROUPS = {
    "starts of a call": ("connect", "conversation"),
    "keys": ("token",),
    "lookups, lists and hang-ups": ("look up", "list", "hang up"),
    "bad requests": ("invalid offer", "foreign origin", "not signed in"),
    "hostile pages": (
        *("hostile conversation", "burst", "hostile key", "register", "register more"),
        *("made-up id", "made-up id with a key", "another's call", "another's handle"),
    ),
}
OUTCOMES = {"2": "done", "4": "refused", "5": "dependency unavailable", "n": "host killed"}
"""What an outcome means, by its first character: a status, or "no answer"."""


@block("soak")
def soak(found: Found) -> str:
    return f"{found['soak']['seconds']:.0f} seconds:\n\n```\n{summary(found['soak'])}\n```"


@picture("bench-soak.svg", "soak")
def soak_picture(found: Found) -> str:
    one = found["soak"]
    drawn = []
    for title, kinds in REQUEST_GROUPS.items():
        counts = dict.fromkeys(OUTCOMES, 0)
        for kind in kinds:
            for outcome, number in one["outcomes"].get(kind, {}).items():
                counts[outcome[0]] += number
        drawn += [Bar(title, OUTCOMES[each], number) for each, number in counts.items() if number]
    note = f"{one['requests']:,} sent in {one['seconds'] / 60:g} minutes, each accounted for"
    return bars("How every request ended", "", drawn, note=note)
