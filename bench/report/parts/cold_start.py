"""A cold start. Pure."""

from __future__ import annotations

from bench.report.chart import Bar, bars
from bench.report.figures import Figure, relative
from bench.report.registry import Found, block, figures, picture
from bench.report.stats import ratio
from bench.report.tables import table
from bench.report.targets import FIRST_AT_ONCE, FIRST_LATER, IMPORT

FLOOR, AT_ONCE, LATER = "floor", "broker", "broker, a second later"


@block("cold")
def cold(found: Found) -> str:
    one = found["cold"]
    trips, latency = one["first"].get(FLOOR, {}).get("trips_ms"), one["latency_ms"]
    imports = table(
        ("", "ms", "MiB after it"),
        (
            (f"importing {name}", each["ms"], each["memory_mib"])
            for name, each in one["imports"].items()
            if name != "json"
        ),
    )
    head = ("", "listens after ms", "first `/connect` ms", "of the two trips", "second ms")
    first = table(
        head,
        (
            (
                name,
                each.get("ready_ms"),
                each["first_connect_ms"],
                ratio(each["first_connect_ms"], trips),
                each["second_connect_ms"],
            )
            for name, each in one["first"].items()
            if name != FLOOR
        ),
    )
    floor = (
        f"The two trips alone took {trips:.0f} ms, {trips / (2 * latency):.2f} of twice the "
        f"endpoint's {latency:.0f} ms, TLS handshake included."
        if trips
        else ""
    )
    return "\n\n".join(filter(None, (imports, first, floor)))


@figures("cold")
def cold_ratios(found: Found) -> list[Figure]:
    one = found["cold"]
    app, library = (
        one.get("imports", {}).get(name, {}) for name in ("function_app", "azure.functions")
    )
    first, second = (one.get("first", {}).get(side, {}) for side in ("broker", "article"))
    later, floor = (one.get("first", {}).get(side, {}) for side in (LATER, FLOOR))
    trips = {"first_connect_ms": floor.get("trips_ms")}
    return [
        relative(IMPORT, "less", app, library, "ms", value=one["import_ratio"]),
        relative(FIRST_LATER, "less", later, trips, "first_connect_ms"),
        relative(FIRST_AT_ONCE, "less", first, trips, "first_connect_ms"),
        relative(
            "first /connect of a fresh process, relative to the article's",
            *("less", first, second, "first_connect_ms"),
        ),
    ]


@picture("bench-cold.svg", "cold")
def cold_picture(found: Found) -> str:
    one = found["cold"]
    drawn = [
        Bar("importing", name, one["imports"][name]["ms"])
        for name in ("azure.functions", "function_app")
    ]
    drawn += [
        Bar("first /connect", name, each.get("first_connect_ms") or each["trips_ms"])
        for name, each in one["first"].items()
    ]
    note = "each in a fresh Python process; the first /connect takes two trips upstream"
    return bars("Cold start", "ms", drawn, note=note)
