"""The page: from the click to the open channel. Pure."""

from __future__ import annotations

from bench.report.chart import Bar, bars
from bench.report.figures import Figure, relative
from bench.report.registry import Found, block, figures, picture
from bench.report.tables import table
from bench.report.targets import PAGE


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


@figures("page")
def page_ratios(found: Found) -> list[Figure]:
    pages = found["page"]["pages"]
    ours, article, by_token, floor = (
        pages.get(name, {}) for name in ("page", "article", "page, by /token", "floor")
    )
    told = "click to open channel"
    return [
        relative(PAGE, "less", ours, floor, "open_ms"),
        relative(f"{told}, relative to the articles' page", "less", ours, article, "open_ms"),
        relative(
            f"{told} by /token, relative to the articles' page",
            *("less", by_token, article, "open_ms"),
        ),
    ]


@picture("bench-page.svg", "page")
def page_picture(found: Found) -> str:
    one = found["page"]
    titles = {
        "open": "click to open channel",
        "before": "click to offer posted",
        "answer": "offer posted to answer",
        "ice": "answer to ICE connected",
        "dtls": "ICE to DTLS connected",
        "channel": "DTLS to channel open",
    }
    return bars(
        "From the click to the open data channel",
        "ms",
        [
            Bar(title, name, each[f"{step}_ms"])
            for step, title in titles.items()
            for name, each in one["pages"].items()
        ],
        note=f"median of {one['clicks']} clicks in Chromium; "
        f"the model's endpoint answers after {one['latency_ms']:.0f} ms",
    )
