"""Requests of all contenders, and the same from a distance. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.report.chart import Bar, bars, plural
from bench.report.figures import Better, Figure, relative
from bench.report.registry import Found, block, figures, picture
from bench.report.tables import table
from bench.report.targets import BEYOND_NGINX

LOADS = ("token 1", "connect 1", "token 64", "connect 64", "token 256", "connect 256")
NAMES = {"article": "the article's", "nginx": "nginx"}
"""What the broker is compared with."""


@block("sides")
def requests(found: Found) -> str:
    return table(
        ("", "callers", "side", "requests/s", "p50 ms", "p99 ms", "CPU ms", "MiB"),
        (
            (
                *(f"`/{load.split()[0]}`", load.split()[1], name),
                *(one[what] for what in ("per_second", "p50_ms", "p99_ms")),
                *(one.get(what) for what in ("cpu_ms", "memory_mib")),
            )
            for load in LOADS
            for name, each in found["sides"]["sides"].items()
            if (one := each.get(load))
        ),
    )


@figures("sides")
def ratios(found: Found) -> list[Figure]:
    return ratios_of(found["sides"]["sides"])


def ratios_of(sides: Mapping[str, Any]) -> list[Figure]:
    """The broker relative to the articles' service, and to nginx."""

    def against(other: str, load: str, told: str, figure: str, better: Better) -> Figure:
        one, two = (sides.get(side, {}).get(load, {}) for side in ("broker", other))
        return relative(f"{told}, relative to {NAMES[other]}", better, one, two, figure)

    def throughput(other: str, callers: int) -> list[Figure]:
        return [
            against(
                other,
                f"{kind} {callers}",
                f"/{kind} requests/s at {callers} callers",
                *("per_second", "more"),
            )
            for kind in ("token", "connect")
        ]

    p50 = "/connect p50 at 1 caller"
    return [
        against("article", "connect 1", p50, "p50_ms", "less"),
        *throughput("article", 64),
        *throughput("nginx", 64),
        *throughput("nginx", 256),
        against("nginx", "connect 1", p50, "p50_ms", "less"),
        *(beyond_nginx(sides, kind) for kind in BEYOND_NGINX),
    ]


def beyond_nginx(sides: Mapping[str, Any], kind: str) -> Figure:
    """How many ms later than through nginx one caller has an answer."""
    one, two = (sides.get(side, {}).get(f"{kind} 1", {}) for side in ("broker", "nginx"))
    ours, theirs = one.get("p50_ms"), two.get("p50_ms")
    later = None if ours is None or theirs is None else ours - theirs
    return Figure(BEYOND_NGINX[kind], later, "less", is_ratio=False)


@picture("bench-latency.svg", "sides")
def latency_picture(found: Found) -> str:
    one = found["sides"]
    return bars(
        "Response time, one caller",
        "ms",
        load_bars(one["sides"], LOADS[:2], "p50_ms"),
        note=f"median; {latency(one)}",
    )


@picture("bench-throughput.svg", "sides")
def throughput_picture(found: Found) -> str:
    one = found["sides"]
    return bars(
        "Requests per second",
        "/s",
        load_bars(one["sides"], LOADS[2:], "per_second"),
        note=f"{latency(one)}; the article's service has four processes, the others one",
    )


def latency(one: Mapping[str, Any]) -> str:
    return f"the model's endpoint answers after {one['latency_ms']:.0f} ms"


def load_bars(sides: Mapping[str, Any], loads: Sequence[str], figure: str) -> list[Bar]:
    return [
        Bar(f"/{load.replace(' ', ', ')} caller{plural(load.split()[1])}", name, one[figure])
        for load in loads
        for name, each in sides.items()
        if (one := each.get(load))
    ]


@block("afar")
def afar(found: Found) -> str:
    sides = found["afar"]["sides"]
    return f"A round trip took {found['afar']['round_trip_ms']:.1f} ms.\n\n" + table(
        ("side", "`/token` p50 ms", "`/connect` p50 ms", "relative to the article's"),
        (
            (
                *(name, each["token 1"]["p50_ms"], each["connect 1"]["p50_ms"]),
                each["connect 1"]["p50_ms"] / sides["article"]["connect 1"]["p50_ms"],
            )
            for name, each in sides.items()
        ),
    )


@figures("afar")
def afar_ratios(found: Found) -> list[Figure]:
    sides = found["afar"]["sides"]
    one, *others = (
        sides.get(name, {}).get("connect 1", {}) for name in ("broker", "article", "nginx")
    )
    return [
        relative(f"/connect p50 at a distance, relative to {name}", "less", one, other, "p50_ms")
        for name, other in zip(NAMES.values(), others, strict=True)
    ]


@picture("bench-distance.svg", "afar")
def distance_picture(found: Found) -> str:
    one = found["afar"]
    return bars(
        "Response time, one caller, distant endpoint",
        "ms",
        load_bars(one["sides"], LOADS[:2], "p50_ms"),
        note=f"median; a round trip takes {one['round_trip_ms']:.0f} ms, "
        f"the endpoint answers after {one['latency_ms']:.0f} ms",
    )
