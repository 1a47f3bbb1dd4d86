"""The results as a table for people, and as pictures. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.measure import emulator, instance, memory, page
from bench.report.stats import ratio
from bench.report.svg import Bar, bars

LOADS = ("token 1", "connect 1", "token 64", "connect 64", "token 256", "connect 256")
WAYS = ("token", "connect")
Found = Mapping[str, Any]


def ratios(sides: Mapping[str, Any]) -> dict[str, float | None]:
    """The broker against the articles' service, and against the floor."""

    def of(side: str, load: str, what: str) -> float | None:
        value: float | None = sides.get(side, {}).get(load, {}).get(what)
        return value

    found: dict[str, float | None] = {
        "/connect p50 at 1 caller, of the article's": ratio(
            of("broker", "connect 1", "p50_ms"), of("article", "connect 1", "p50_ms")
        )
    }
    for what in ("token", "connect"):
        found[f"/{what} requests/s at 64 callers, of the article's"] = ratio(
            of("broker", f"{what} 64", "per_second"), of("article", f"{what} 64", "per_second")
        )
        for callers in (64, 256):
            load = f"{what} {callers}"
            found[f"/{what} requests/s at {callers} callers, of nginx's"] = ratio(
                of("broker", load, "per_second"), of("nginx", load, "per_second")
            )
    return found


def table(found: Found) -> str:
    """Everything that was found, in lines."""
    lines: list[str] = []
    if sides := found.get("sides"):
        lines += [
            f"{'':<20}{'load':<13}{'req/s':>8}{'p50 ms':>9}{'p99 ms':>9}{'added p50':>11}"
            f"{'CPU ms':>8}{'MiB':>7}"
        ]
        for load in LOADS:
            for name, each in sides["sides"].items():
                if one := each.get(load):
                    lines.append(
                        f"{name:<20}{load:<13}{one['per_second']:8.1f}{one['p50_ms']:9.1f}"
                        f"{one['p99_ms']:9.1f}{one['added_p50_ms']:11.1f}"
                        f"{or_dash(one.get('cpu_ms'), 8, 2)}{or_dash(one.get('memory_mib'), 7, 0)}"
                    )
        lines.append("")
        lines += [
            f"{name:<52}{or_dash(value, 8, 2)}" for name, value in ratios(sides["sides"]).items()
        ]
        if sides["skipped"]:
            lines.append(f"the floor was skipped: {sides['skipped']}")
    afar = found.get("afar")
    if afar and afar["skipped"]:
        lines.append(f"nothing was measured from afar: {afar['skipped']}")
    elif afar:
        lines += [
            "",
            f"the endpoint a round trip of {afar['round_trip_ms']:.1f} ms away, one caller",
        ]
        for name, each in afar["sides"].items():
            p50 = "".join(f"  /{what} p50 {each[f'{what} 1']['p50_ms']:7.1f} ms" for what in WAYS)
            lines.append(f"{name:<20}{p50}")
    if one := found.get("instance"):
        lines += instance.shown(one)
    if cold := found.get("cold"):
        lines += ["", f"import of function_app, of azure.functions' {cold['import_ratio']:16.2f}"]
        for name, each in cold["first"].items():
            lines.append(f"first /connect after a start, {name}: {each['first_connect_ms']:.0f} ms")
    if watched := found.get("observers"):
        for way in ("ours", "threads"):
            one = watched[way]
            lines.append(
                f"{watched['calls']} observed calls, {way}: lag p99 {one['lag_p99_ms']:.1f} ms, "
                f"max {one['lag_max_ms']:.1f} ms; a call {one.get('memory_kib_a_call', 0):.0f} KiB"
                f" and {one.get('cpu_ms_a_call', 0):.1f} ms of CPU"
            )
        lines.append(f"calls with anything lost: {watched['lost']}")
    if one := found.get("page"):
        lines += page.shown(one)
    if one := found.get("emulator"):
        lines += emulator.shown(one)
    if (one := found.get("growth")) and one["grown_mib"] is not None:
        lines.append(f"memory after {one['requests']} requests: {one['grown_mib']:+.1f} MiB")
    if one := found.get("soak"):
        from tests.soak import shown

        lines += ["", "soak", shown(one)]
    return "\n".join(lines)


def or_dash(value: float | None, width: int, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"


def pictures(found: Found) -> dict[str, str]:
    """SVG by file name, of whatever was found."""
    drawn: dict[str, str] = {}
    if sides := found.get("sides"):
        latency = f"the model's endpoint answers after {sides['latency_ms']:.0f} ms"
        drawn["bench-latency.svg"] = bars(
            "Time to an answer, one caller",
            "ms",
            of_sides(sides["sides"], ("token 1", "connect 1"), "p50_ms"),
            note=f"median; {latency}",
        )
        drawn["bench-throughput.svg"] = bars(
            "Requests a second",
            "/s",
            of_sides(sides["sides"], LOADS[2:], "per_second"),
            note=f"{latency}; the article's service has four processes, the others one",
        )
    if (afar := found.get("afar")) and not afar["skipped"]:
        drawn["bench-distance.svg"] = bars(
            "Time to an answer, one caller, the endpoint far away",
            "ms",
            of_sides(afar["sides"], LOADS[:2], "p50_ms"),
            note=f"median; a round trip takes {afar['round_trip_ms']:.0f} ms, the endpoint answers "
            f"after {afar['latency_ms']:.0f} ms",
        )
    if one := found.get("instance"):
        drawn |= instance.drawn(one)
    if one := found.get("page"):
        drawn |= page.drawn(one)
    if one := found.get("emulator"):
        drawn |= emulator.drawn(one)
    if one := found.get("growth"):
        drawn |= memory.drawn(one)
    if one := found.get("soak"):
        from tests import soak

        drawn |= soak.drawn(one)
    if cold := found.get("cold"):
        drawn["bench-cold.svg"] = bars(
            "A cold start",
            "ms",
            [
                *(
                    Bar("importing", name, cold["imports"][name]["ms"])
                    for name in ("azure.functions", "function_app")
                ),
                *(
                    Bar("first /connect", name, each["first_connect_ms"])
                    for name, each in cold["first"].items()
                ),
            ],
            note="each in a Python of its own; the first /connect takes two trips upstream",
        )
    if watched := found.get("observers"):
        ways = {"broker": watched["ours"], "thread a call": watched["threads"]}
        drawn["bench-observers.svg"] = bars(
            f"{watched['calls']} observed calls in one process",
            "",
            [
                Bar(title, name, one.get(what, 0.0))
                for title, what in (
                    ("memory a call, KiB", "memory_kib_a_call"),
                    ("CPU a call, ms", "cpu_ms_a_call"),
                )
                for name, one in ways.items()
            ],
            note=f"{watched['events_a_second']:.0f} events a second each, "
            f"for {watched['seconds']:.0f} s",
        )
    return drawn


def of_sides(sides: Mapping[str, Any], loads: tuple[str, ...], what: str) -> list[Bar]:
    return [
        Bar(f"/{load.replace(' ', ', ')} caller{'s' * (not load.endswith(' 1'))}", name, one[what])
        for load in loads
        for name, each in sides.items()
        if (one := each.get(load))
    ]
