"""A cold start. Pure."""

from __future__ import annotations

from bench.report.chart import Bar, bars
from bench.report.figures import Figure, relative
from bench.report.registry import Found, block, figures, picture
from bench.report.tables import table
from bench.report.targets import IMPORT


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


@figures("cold")
def cold_ratios(found: Found) -> list[Figure]:
    one = found["cold"]
    app, library = (
        one.get("imports", {}).get(name, {}) for name in ("function_app", "azure.functions")
    )
    first, second = (one.get("first", {}).get(side, {}) for side in ("broker", "article"))
    return [
        relative(IMPORT, "less", app, library, "ms", value=one["import_ratio"]),
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
        Bar("first /connect", name, each["first_connect_ms"]) for name, each in one["first"].items()
    ]
    note = "each in a fresh Python process; the first /connect takes two trips upstream"
    return bars("Cold start", "ms", drawn, note=note)
