"""The results as bar charts in SVG, readable on light and on dark pages. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from bench.report.blocks import ACTIVITIES, LOADS
from bench.report.markdown_table import amount

WIDTH, LABEL, ROW, HEAD, FOOT = 720, 190, 26, 58, 26
COLOURS = {
    "article": "#c2703d",
    "broker": "#2f7fd6",
    "broker, limits on": "#7aaee6",
    "page": "#2f7fd6",
    "page, by /token": "#7aaee6",
    "done": "#2f7fd6",
    "refused": "#7aaee6",
    "dependency unavailable": "#c2703d",
    "alone": "#c2703d",
    "failover": "#2f7fd6",
}
OTHER = "#8a8f98"
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.t{font-size:15px;font-weight:600}"
    ".n{fill:#57606a}.a{stroke:#afb8c1}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.n{fill:#9198a1}.a{stroke:#3d444d}}"
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. `group` is written where it changes; `name` chooses the colour, unless `colour`
    does."""

    group: str
    name: str
    value: float
    colour: str = ""


def bars(title: str, unit: str, drawn: Sequence[Bar], *, note: str = "") -> str:
    """A chart of horizontal bars, their values written beside them, in `unit`."""
    most = max((bar.value for bar in drawn), default=0.0) or 1.0
    room = WIDTH - LABEL - 110
    parts: list[str] = []
    y = HEAD
    group = ""
    for bar in drawn:
        if bar.group != group:
            group = bar.group
            y += 8
            parts.append(f'<text class="n" x="12" y="{y + 15}">{escape(group)}</text>')
            y += 22
        length = max(1.0, room * max(0.0, bar.value) / most)
        colour = COLOURS.get(bar.colour or bar.name, OTHER)
        parts.append(
            f'<text x="{LABEL - 8}" y="{y + 16}" text-anchor="end">{escape(bar.name)}</text>'
            f'<rect x="{LABEL}" y="{y + 3}" width="{length:.1f}" height="{ROW - 8}" rx="2" '
            f'fill="{colour}"/>'
            f'<text x="{LABEL + length + 8:.1f}" y="{y + 16}">{number(bar.value)} '
            f"{escape(unit)}</text>"
        )
        y += ROW
    height = y + FOOT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'width="{WIDTH}" height="{height}" aria-label="{escape(title, quote=True)}">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
        f'<text class="t" x="12" y="26">{escape(title)}</text>'
        f'<text class="n" x="12" y="46">{escape(note)}</text>'
        f'<line class="a" x1="{LABEL}" y1="{HEAD}" x2="{LABEL}" y2="{y}"/>'
        + "".join(parts)
        + "</svg>\n"
    )


def number(value: float) -> str:
    """A number with its significant digits."""
    if abs(value) >= 100 or isinstance(value, int):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def pictures(found: Mapping[str, Any]) -> dict[str, str]:
    """The charts of all parts that were measured, by file name."""
    drawn: dict[str, str] = {}
    for part, chart in CHARTS.items():
        if set(found.get(part, ())) - {"skipped", "machine"}:
            drawn |= chart(found[part])
    return drawn


def sides(found: Mapping[str, Any]) -> dict[str, str]:
    latency = f"the model's endpoint answers after {found['latency_ms']:.0f} ms"
    return {
        "bench-latency.svg": bars(
            "Response time, one caller",
            "ms",
            load_bars(found["sides"], LOADS[:2], "p50_ms"),
            note=f"median; {latency}",
        ),
        "bench-throughput.svg": bars(
            "Requests per second",
            "/s",
            load_bars(found["sides"], LOADS[2:], "per_second"),
            note=f"{latency}; the article's service has four processes, the others one",
        ),
    }


def afar(found: Mapping[str, Any]) -> dict[str, str]:
    picture = bars(
        "Response time, one caller, distant endpoint",
        "ms",
        load_bars(found["sides"], LOADS[:2], "p50_ms"),
        note=f"median; a round trip takes {found['round_trip_ms']:.0f} ms, "
        f"the endpoint answers after {found['latency_ms']:.0f} ms",
    )
    return {"bench-distance.svg": picture}


def load_bars(sides: Mapping[str, Any], loads: tuple[str, ...], figure: str) -> list[Bar]:
    return [
        Bar(f"/{load.replace(' ', ', ')} caller{plural(load.split()[1])}", name, one[figure])
        for load in loads
        for name, each in sides.items()
        if (one := each.get(load))
    ]


def plural(number: str) -> str:
    return "" if number == "1" else "s"


def instance(found: Mapping[str, Any]) -> dict[str, str]:
    figures = (("median response time, ms", "p50_ms"), ("starts per second", "per_second"))
    drawn = [
        Bar(title, f"{number} at once", one[figure])
        for title, figure in figures
        for number, one in found["callers"].items()
    ]
    note = "limits and storage as in Azure, with Azurite on the same two cores"
    return {"bench-instance.svg": bars("Concurrent starts in one instance", "", drawn, note=note)}


def cold(found: Mapping[str, Any]) -> dict[str, str]:
    drawn = [
        Bar("importing", name, found["imports"][name]["ms"])
        for name in ("azure.functions", "function_app")
    ]
    drawn += [
        Bar("first /connect", name, each["first_connect_ms"])
        for name, each in found["first"].items()
    ]
    note = "each in a fresh Python process; the first /connect takes two trips upstream"
    return {"bench-cold.svg": bars("Cold start", "ms", drawn, note=note)}


def observers(found: Mapping[str, Any]) -> dict[str, str]:
    ways = {"broker": found["ours"], "thread per call": found["threads"]}
    figures = (
        ("memory per call, KiB", "memory_kib_a_call"),
        ("CPU per call, ms", "cpu_ms_a_call"),
    )
    picture = bars(
        f"{found['calls']} observed calls in one process",
        "",
        [
            Bar(title, name, one.get(figure, 0.0))
            for title, figure in figures
            for name, one in ways.items()
        ],
        note=f"{found['events_a_second']:.0f} events a second each, for {found['seconds']:.0f} s",
    )
    return {"bench-observers.svg": picture}


def page(found: Mapping[str, Any]) -> dict[str, str]:
    titles = {
        "open": "click to open channel",
        "before": "click to offer posted",
        "answer": "offer posted to answer",
        "ice": "answer to ICE connected",
        "dtls": "ICE to DTLS connected",
        "channel": "DTLS to channel open",
    }
    picture = bars(
        "From the click to the open data channel",
        "ms",
        [
            Bar(title, name, each[f"{step}_ms"])
            for step, title in titles.items()
            for name, each in found["pages"].items()
        ],
        note=f"median of {found['clicks']} clicks in Chromium; "
        f"the model's endpoint answers after {found['latency_ms']:.0f} ms",
    )
    return {"bench-page.svg": picture}


def emulator(found: Mapping[str, Any]) -> dict[str, str]:
    titles = {**ACTIVITIES, "talks": "a turn every 12 s: spoken, recognised, answered"}
    drawn = [
        Bar(titles[kind], f"{number} call{plural(number)}", 100 * group["core_share"])
        for kind, each in found["kinds"].items()
        for number, group in each["calls"].items()
        if group.get("core_share") is not None
    ]
    note = "one emulator process with its speech workers; the callers are in another process"
    title = "Share of a core that one call takes in the emulator"
    return {"bench-emulator.svg": bars(title, "%", drawn, note=note)} if drawn else {}


def growth(found: Mapping[str, Any]) -> dict[str, str]:
    if found["grown_mib"] is None:
        return {}
    part = found["requests"] // (len(found["memory_mib"]) - 1)
    drawn = [
        Bar("", f"{number * part:,}" if number else "warm", size)
        for number, size in enumerate(found["memory_mib"])
    ]
    note = "by the number of requests to /token"
    return {"bench-growth.svg": bars("Memory of the broker", "MiB", drawn, note=note)}


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
"""What an outcome of the soak means, by its first character: a status, or "no answer"."""


def soak(found: Mapping[str, Any]) -> dict[str, str]:
    drawn = []
    for title, kinds in REQUEST_GROUPS.items():
        counts = dict.fromkeys(OUTCOMES, 0)
        for kind in kinds:
            for outcome, number in found["outcomes"].get(kind, {}).items():
                counts[outcome[0]] += number
        drawn += [Bar(title, OUTCOMES[each], number) for each, number in counts.items() if number]
    note = f"{found['requests']:,} sent in {found['seconds'] / 60:g} minutes, each accounted for"
    return {"bench-soak.svg": bars("How every request ended", "", drawn, note=note)}


def accounts(found: Mapping[str, Any]) -> dict[str, str]:
    names = {"alone": "one a caller", "failover": "failover"}
    drawn = [
        Bar(
            f"{group['calls']:,} calls a day, accounts of {amount(group['tokens'])} TPM",
            f"{row['accounts']}, {name}",
            100 * row[way]["refused"],
            way,
        )
        for group in found["groups"]
        for row in group["rows"]
        for way, name in names.items()
    ]
    note = "share of a day's starts, simulated; answers that running calls then lack: see the table"
    title = "Starts that are refused, by number of accounts"
    return {"bench-accounts.svg": bars(title, "%", drawn, note=note)}


CHARTS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, str]]] = {
    each.__name__: each
    for each in (*(sides, afar, instance, cold, observers, page, emulator, growth, soak, accounts),)
}
