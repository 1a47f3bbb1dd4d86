"""The results as the tables of docs/performance.md and docs/scale.md. Pure.

The pages hold them between `<!-- bench: NAME -->` and `<!-- end -->`; a test holds the pages to
bench/results/latest.json.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.report.console import LOADS, ratios

BLOCK = re.compile(r"(<!-- bench: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
Found = Mapping[str, Any]
Cell = str | float | None

# What was set out to be reached: the name of the ratio, whether it is a least or a most, and it.
WANTED: tuple[tuple[str, str, float], ...] = (
    ("/connect p50 at 1 caller, of the article's", "at most", 0.55),
    ("/token requests/s at 64 callers, of the article's", "at least", 15),
    ("/connect requests/s at 64 callers, of the article's", "at least", 30),
    ("/token requests/s at 64 callers, of nginx's", "at least", 0.95),
    ("/connect requests/s at 64 callers, of nginx's", "at least", 0.95),
    ("/token requests/s at 256 callers, of nginx's", "at least", 0.5),
    ("/connect requests/s at 256 callers, of nginx's", "at least", 0.5),
    ("import of function_app, of azure.functions'", "at most", 1.3),
)


def filled(page: str, found: Found) -> str:
    """`page` with every block that there are results for made anew; others stay as they are."""

    def block(match: re.Match[str]) -> str:
        opening, name, end = match.groups()
        made = BLOCKS[name](found)
        return match.group(0) if made is None else f"{opening}\n{made}\n\n{end}"

    return BLOCK.sub(block, page)


def grid(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A Markdown table; numbers with the digits that mean something, None as a dash."""
    lines = [head, ["---"] * len(head), *([cell(one) for one in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: Cell) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def machine(found: Found) -> str | None:
    if "sides" not in found:
        return None
    one = found["sides"]["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in one["packages"].items())
    load = one["load_average"]
    return (
        f"Measured on {one['day']}: {one['system']}, {one['cpu']}, {one['cores']} cores"
        + (f", load average before it {load[0]:.1f}" if load else "")
        + f", Python {one['python']}; {packages}."
    )


def requests(found: Found) -> str | None:
    if "sides" not in found:
        return None
    return grid(
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


def wanted(found: Found) -> str | None:
    if "sides" not in found or "cold" not in found:
        return None
    measured = {
        **ratios(found["sides"]["sides"]),
        "import of function_app, of azure.functions'": found["cold"]["import_ratio"],
    }
    rows: list[Sequence[Cell]] = []
    for name, way, limit in WANTED:
        value = measured[name]
        met = value is not None and (value <= limit if way == "at most" else value >= limit)
        shown = "not measured" if value is None else f"{value:.2f}"
        rows.append((name, f"{way} {limit:g}", shown if met else f"{shown}, **not met**"))
    return grid(("what", "wanted", "measured"), rows)


def afar(found: Found) -> str | None:
    if found.get("afar", {}).get("skipped", "?"):
        return None
    sides = found["afar"]["sides"]
    return f"A round trip took {found['afar']['round_trip_ms']:.1f} ms.\n\n" + grid(
        ("side", "`/token` p50 ms", "`/connect` p50 ms", "of the article's"),
        (
            (
                *(name, each["token 1"]["p50_ms"], each["connect 1"]["p50_ms"]),
                each["connect 1"]["p50_ms"] / sides["article"]["connect 1"]["p50_ms"],
            )
            for name, each in sides.items()
        ),
    )


def instance(found: Found) -> str | None:
    if found.get("instance", {}).get("skipped", "?"):
        return None
    one = found["instance"]
    names = ("per_second", "p50_ms", "p99_ms", "cpu_ms")
    rows = [
        (f"{number} at once", "256", *(each.get(name) for name in names))
        for number, each in one["callers"].items()
    ]
    rows += [
        ("64 at once", threads, *(each.get(name) for name in names))
        for threads, each in one["threads"].items()
    ]
    memory = ", ".join(f"{when} {cell(size)} MiB" for when, size in one["memory_mib"].items())
    head = ("starts", "threads", "starts/s", "p50 ms", "p99 ms", "CPU ms")
    return f"{grid(head, rows)}\n\nMemory of the process: {memory}."


# Flex Consumption's sizes: MB, and cores (docs/scale.md).
SIZES = ((512, 0.25), (2048, 1.0), (4096, 2.0))
FULL_AT, OBSERVED = "16", 100


def sizes(found: Found) -> str | None:
    """What instances of each size carry by what was measured: starts by processor time, and so
    many at once as a start then takes time; observed calls by theirs."""
    if found.get("instance", {}).get("skipped", "?") or "observers" not in found:
        return None
    starts, watched = found["instance"]["callers"], found["observers"]
    if "cpu_ms" not in starts[FULL_AT] or "cpu_ms_a_call" not in watched["ours"]:
        return None
    of_a_core = watched["ours"]["cpu_ms_a_call"] / 1000 / watched["seconds"] * OBSERVED
    memory = watched["ours"]["memory_kib_a_call"] / 1024 * OBSERVED
    rows: list[Sequence[Cell]] = []
    for size, cores in SIZES:
        a_second = cores * 1000 / starts[FULL_AT]["cpu_ms"]
        rows.append(
            (
                *(f"{size:,} MB", cores, f"{a_second:.0f}"),
                f"{a_second * starts['1']['p50_ms'] / 1000:.0f}",
                f"{of_a_core / cores:.0%} of its processor time, {memory:.0f} MiB",
            )
        )
    head = ("instance", "cores", "starts a second", "of them at once", "100 observed calls take")
    return grid(head, rows)


def cold(found: Found) -> str | None:
    if "cold" not in found:
        return None
    one = found["cold"]
    imports = one["imports"]
    return grid(
        ("", "ms", "MiB after it"),
        (
            *(
                (f"importing {name}", each["ms"], each["memory_mib"])
                for name, each in imports.items()
                if name != "json"
            ),
            *(
                (f"{which} `/connect` of {name}", each[f"{which}_connect_ms"], None)
                for name, each in one["first"].items()
                for which in ("first", "second")
            ),
        ),
    )


def observers(found: Found) -> str | None:
    if "observers" not in found:
        return None
    one = found["observers"]
    names = ("memory_kib_a_call", "cpu_ms_a_call", "lag_p99_ms", "lag_max_ms")
    ways = (("the broker", one["ours"]), ("a thread a call", one["threads"]))
    rows = [(name, *(each.get(what) for what in names)) for name, each in ways]
    rows.append(("ratio", *(one["ours"][n] / one["threads"][n] for n in names[:2]), None, None))
    head = ("", "KiB a call", "CPU ms a call", "loop lag p99 ms", "longest ms")
    return f"{grid(head, rows)}\n\n{one['calls']} calls; {one['lost']} with anything lost."


def page(found: Found) -> str | None:
    if found.get("page", {}).get("skipped", "?"):
        return None
    one = found["page"]
    names = ("open_ms", "before_ms", "answer_ms", "ice_ms", "dtls_ms", "channel_ms")
    titles = {"article": "one step after another", "page": "our page, `/connect`"}
    rows = [
        (titles.get(side, "our page, `/token`"), *(each[name] for name in names))
        for side, each in one["pages"].items()
    ]
    head = ("ms", "whole", "until the offer is posted", "its answer", "ICE", "DTLS", "channel")
    return (
        f"{grid(head, rows)}\n\nOur page takes {one['ratio']:.2f} of the other's time, "
        f"{one['ratio_by_token']:.2f} by `/token`; {one['clicks']} clicks each."
    )


def emulator(found: Found) -> str | None:
    if found.get("emulator", {}).get("skipped", ""):
        return None
    if "emulator" not in found:
        return None
    titles = {
        "idle": "silence both ways",
        "listens": "the emulator speaks all the time",
        "talks": "a turn each 12 s: nine seconds of sound recognised, and answered",
    }
    return grid(
        ("8 calls at once", "% of a core, a call", "calls a core"),
        (
            (titles[kind], each["core_share"] * 100, each["calls_a_core"])
            for kind, each in found["emulator"]["kinds"].items()
        ),
    )


def growth(found: Found) -> str | None:
    if "growth" not in found or found["growth"]["grown_mib"] is None:
        return None
    one = found["growth"]
    parts = ", ".join(f"{size:.1f}" for size in one["memory_mib"])
    return (
        f"{one['requests']:,} requests to `/token`, after 2,000 to warm up: "
        f"{one['grown_mib']:+.1f} MiB ({parts} MiB, before the first fifth and after each)."
    )


def soak(found: Found) -> str | None:
    if "came" not in found.get("soak", {}):
        return None
    from tests.soak import shown

    return f"{found['soak']['seconds']:.0f} seconds:\n\n```\n{shown(found['soak'])}\n```"


BLOCKS = {
    each.__name__: each
    for each in (
        *(machine, requests, wanted, afar, instance, sizes, cold, observers, page, emulator),
        *(growth, soak),
    )
}
