"""Bar charts in SVG, readable on light and on dark pages. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

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


def plural(number: str) -> str:
    return "" if number == "1" else "s"
