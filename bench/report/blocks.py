"""The blocks of docs/performance.md and docs/scale.md: what was measured, as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.report.markdown_table import Cell, cell, table
from bench.report.stats import ratio, ratios
from bench.report.targets import IMPORT, LIVE_FRAME, LIVE_LAG, PAGE, TARGETS
from tests.soak.report import summary

Found = Mapping[str, Any]
"""The results by part, each with the `machine` that it was measured on."""
Block = Callable[[Found], str | None]
"""Gives None where what it shows was not measured."""
BLOCKS: dict[str, Block] = {}
LOADS = ("token 1", "connect 1", "token 64", "connect 64", "token 256", "connect 256")


def block(*parts: str) -> Callable[[Block], Block]:
    """Registers a block under its function's name. It is rendered where all `parts` were
    measured; a part that was skipped altogether has nothing but the reason."""

    def register(render: Block) -> Block:
        def render_if_measured(found: Found) -> str | None:
            measured = all(set(found.get(part, ())) - {"skipped", "machine"} for part in parts)
            return render(found) if measured else None

        BLOCKS[render.__name__] = render_if_measured
        return render_if_measured

    return register


@block("sides")
def machine(found: Found) -> str | None:
    one = found["sides"].get("machine")
    if one is None:
        return None
    packages = ", ".join(f"{name} {version}" for name, version in one["packages"].items())
    load = one["load_average"]
    return (
        f"Measured on {one['day']}: {one['system']}, {one['cpu']}, {one['cores']} cores"
        + (f", load average before it {load[0]:.1f}" if load else "")
        + f", Python {one['python']}; {packages}."
    )


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


@block()
def wanted(found: Found) -> str | None:
    measured: dict[str, float | None] = {}
    if "sides" in found:
        measured |= ratios(found["sides"]["sides"])
    if "cold" in found:
        measured[IMPORT] = found["cold"]["import_ratio"]
    if found.get("page", {}).get("ratio_to_floor"):
        measured[PAGE] = found["page"]["ratio_to_floor"]
    if "live" in found:
        beyond = beyond_receiving(found["live"]["frame"])
        measured[LIVE_FRAME] = ratio(beyond["ours"], beyond["parsing"])
        measured[LIVE_LAG] = found["live"]["ours"]["lag_p99_ms"]
    rows: list[Sequence[Cell]] = []
    for name, way, limit in TARGETS:
        value = measured.get(name)
        met = value is not None and (value <= limit if way == "at most" else value >= limit)
        figure = "not measured" if value is None else f"{value:.2f}"
        rows.append((name, f"{way} {limit:g}", figure if met else f"{figure}, **not met**"))
    return table(("ratio", "target", "measured"), rows) if measured else None


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


@block("instance")
def instance(found: Found) -> str:
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
    return f"{table(head, rows)}\n\nMemory of the process: {memory}."


# Flex Consumption's sizes: MB, and cores (docs/scale.md).
SIZES = ((512, 0.25), (2048, 1.0), (4096, 2.0))
FULL_AT, OBSERVED = "16", 100


@block("instance", "observers")
def sizes(found: Found) -> str | None:
    """What instances of each size carry: starts by their processor time, as many at once as then
    overlap, and observed calls by theirs."""
    starts, observers = found["instance"]["callers"], found["observers"]
    if "cpu_ms" not in starts[FULL_AT] or "cpu_ms_a_call" not in observers["ours"]:
        return None
    cores_used = observers["ours"]["cpu_ms_a_call"] / 1000 / observers["seconds"] * OBSERVED
    memory = observers["ours"]["memory_kib_a_call"] / 1024 * OBSERVED
    rows: list[Sequence[Cell]] = []
    for size, cores in SIZES:
        per_second = cores * 1000 / starts[FULL_AT]["cpu_ms"]
        rows.append(
            (
                *(f"{size:,} MB", cores, f"{per_second:.0f}"),
                f"{per_second * starts['1']['p50_ms'] / 1000:.0f}",
                f"{cores_used / cores:.0%} of its processor time, {memory:.0f} MiB",
            )
        )
    head = ("instance", "cores", "starts/s", "of them at once", "100 observed calls take")
    return table(head, rows)


@block("cold")
def cold(found: Found) -> str:
    one = found["cold"]
    return table(
        ("", "ms", "MiB after it"),
        (
            *(
                (f"importing {name}", each["ms"], each["memory_mib"])
                for name, each in one["imports"].items()
                if name != "json"
            ),
            *(
                (f"{which} `/connect` of {name}", each[f"{which}_connect_ms"], None)
                for name, each in one["first"].items()
                for which in ("first", "second")
            ),
        ),
    )


@block("observers")
def observers(found: Found) -> str:
    one = found["observers"]
    names = ("memory_kib_a_call", "cpu_ms_a_call", "lag_p99_ms", "lag_max_ms")
    ways = (("the broker", one["ours"]), ("a thread per call", one["threads"]))
    rows = [(name, *(each.get(figure) for figure in names)) for name, each in ways]
    compared = [ratio(one["ours"].get(name), one["threads"].get(name)) for name in names[:2]]
    head = ("", "KiB per call", "CPU ms per call", "loop lag p99 ms", "longest ms")
    rows.append(("ratio", *compared, None, None))
    return f"{table(head, rows)}\n\n{one['calls']} calls; {one['lost']} lost anything."


@block("live")
def live(found: Found) -> str:
    one = found["live"]
    names = ("cpu_ms_a_call", "lag_p99_ms", "lag_max_ms", "memory_kib_a_call")
    titles = {
        "ours": "the broker",
        "parsing": "parsing every frame",
        "silent": "the broker, calls without audio",
    }
    rows = [
        (title, *(one[way].get(name) for name in names), audio_cost(one, way))
        for way, title in titles.items()
    ]
    compared = ratio(audio_cost(one, "ours"), audio_cost(one, "parsing"))
    total = ratio(one["ours"].get(names[0]), one["parsing"].get(names[0]))
    rows.append(("ratio of the first two", total, None, None, None, compared))
    head = ("", "CPU ms per call", "loop lag p99 ms", "longest ms", "KiB per call", "of it audio")
    told = f"{one['calls']} calls of {one['seconds']} s; {one['lost']} lost anything."
    return f"{table(head, rows)}\n\n{told}\n\n{frame_table(one['frame'])}"


def frame_table(spent: Mapping[str, Any]) -> str:
    """Processor time of one frame of audio, and what of it is more than receiving its bytes."""
    beyond = beyond_receiving(spent)
    return table(
        ("one frame of audio, µs of CPU", "in all", "beyond receiving"),
        (
            ("receiving its bytes alone", spent["receiving"], None),
            ("the broker", spent["ours"], beyond["ours"]),
            ("parsing it", spent["parsing"], beyond["parsing"]),
            (
                "ratio of the last two",
                ratio(spent["ours"], spent["parsing"]),
                ratio(beyond["ours"], beyond["parsing"]),
            ),
        ),
    )


def beyond_receiving(spent: Mapping[str, Any]) -> dict[str, float]:
    return {way: spent[way] - spent["receiving"] for way in ("ours", "parsing")}


def audio_cost(one: Mapping[str, Any], way: str) -> float | None:
    """Processor time of a call's audio: what the same call takes without is taken off."""
    whole, rest = (one[each].get("cpu_ms_a_call") for each in (way, "silent"))
    return None if way == "silent" or None in (whole, rest) else whole - rest


@block("page")
def page(found: Found) -> str:
    one = found["page"]
    names = ("open_ms", "before_ms", "answer_ms", "ice_ms", "dtls_ms", "channel_ms")
    titles = {
        "article": "one step after another",
        "page": "our page, `/connect`",
        "page, by /token": "our page, `/token`",
        "floor": "the floor",
    }
    rows = [(titles[side], *(each[name] for name in names)) for side, each in one["pages"].items()]
    head = ("ms", "total", "until the offer is posted", "its answer", "ICE", "DTLS", "channel")
    return (
        f"{table(head, rows)}\n\nOur page takes {one['ratio']:.2f} of the other page's time, "
        f"{one['ratio_by_token']:.2f} by `/token`, and {one['ratio_to_floor']:.2f} of the floor; "
        f"{one['clicks']} clicks each."
    )


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


@block("growth")
def growth(found: Found) -> str | None:
    one = found["growth"]
    if one["grown_mib"] is None:
        return None
    parts = ", ".join(f"{size:.1f}" for size in one["memory_mib"])
    return (
        f"{one['requests']:,} requests to `/token`, after 2,000 to warm up: "
        f"{one['grown_mib']:+.1f} MiB ({parts} MiB, before the first fifth and after each)."
    )


@block("soak")
def soak(found: Found) -> str:
    return f"{found['soak']['seconds']:.0f} seconds:\n\n```\n{summary(found['soak'])}\n```"
