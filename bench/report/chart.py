"""Charts in SVG, readable on light and on dark pages. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABEL, ROW, HEAD, FOOT, LINES = 720, 190, 26, 58, 26, 120
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
    axis = f'<line class="a" x1="{LABEL}" y1="{HEAD}" x2="{LABEL}" y2="{y}"/>'
    return framed(title, note, y + FOOT, axis + "".join(parts))


@dataclass(frozen=True, slots=True)
class Line:
    """The values of one line, at equal distances."""

    name: str
    values: Sequence[float]
    colour: str = ""


def lines(title: str, unit: str, drawn: Sequence[Line], *, note: str = "") -> str:
    """A chart of lines over zero, with the name and the last value of each above it."""
    most = max((max(line.values) for line in drawn), default=0.0) or 1.0
    bottom, room = HEAD + 24 + LINES, WIDTH - 48
    parts: list[str] = []
    for place, line in enumerate(drawn):
        step = room / max(1, len(line.values) - 1)
        points = " ".join(
            f"{24 + step * at:.1f},{bottom - LINES * value / most:.1f}"
            for at, value in enumerate(line.values)
        )
        colour = COLOURS.get(line.colour or line.name, OTHER)
        words = f"{line.name}: {number(line.values[0])} to {number(line.values[-1])} {unit}"
        x = 24 + place * room / len(drawn)
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<rect x="{x:.0f}" y="{HEAD}" width="10" height="10" rx="2" fill="{colour}"/>'
            f'<text x="{x + 16:.0f}" y="{HEAD + 10}">{escape(words)}</text>'
        )
    axis = f'<line class="a" x1="24" y1="{bottom}" x2="{WIDTH - 24}" y2="{bottom}"/>'
    return framed(title, note, bottom + FOOT, axis + "".join(parts))


def framed(title: str, note: str, height: float, drawing: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'width="{WIDTH}" height="{height}" aria-label="{escape(title, quote=True)}">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
        f'<text class="t" x="12" y="26">{escape(title)}</text>'
        f'<text class="n" x="12" y="46">{escape(note)}</text>' + drawing + "</svg>\n"
    )


def number(value: float) -> str:
    """A number with its significant digits."""
    if abs(value) >= 100 or isinstance(value, int):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def plural(number: str) -> str:
    return "" if number == "1" else "s"
