"""Observers of GPT-Live calls. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.report.chart import Bar, bars
from bench.report.figures import Figure, relative
from bench.report.registry import Found, block, figures, picture
from bench.report.stats import EACH_ROUND, ratio
from bench.report.tables import table
from bench.report.targets import LIVE_FRAME, LIVE_LAG, LIVE_LOST, MANY_LIVE_CALLS


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


@figures("live")
def live_figures(found: Found) -> list[Figure]:
    one = found["live"]
    ours, parsing, frame = one["ours"], one["parsing"], one["frame"]
    is_many = one["calls"] >= MANY_LIVE_CALLS
    beyond = beyond_receiving(frame)
    by_name = frame.get(EACH_ROUND, {})
    rounds = [
        beyond_receiving(dict(zip(by_name, each, strict=True)))
        for each in zip(*by_name.values(), strict=True)
    ]
    by_round = [ratio(each["ours"], each["parsing"]) for each in rounds]
    return [
        Figure(
            *(LIVE_FRAME, ratio(beyond["ours"], beyond["parsing"]), "less"),
            rounds=tuple(each for each in by_round if each is not None),
        ),
        Figure(LIVE_LAG, ours["lag_p99_ms"] if is_many else None, "less", is_ratio=False),
        Figure(LIVE_LOST, one["lost"] if is_many else None, "less", is_ratio=False),
        relative(
            "CPU of an observed Live call, relative to parsing every frame",
            *("less", ours, parsing, "cpu_ms_a_call"),
        ),
    ]


@picture("bench-live.svg", "live")
def live_picture(found: Found) -> str:
    one = found["live"]
    ways = {"ours": "broker", "parsing": "parsing every frame", "silent": "calls without audio"}
    drawn = [
        Bar("CPU per call, ms", title, one[way].get("cpu_ms_a_call", 0.0))
        for way, title in ways.items()
    ]
    received = {"receiving": "receiving it alone", "ours": "broker", "parsing": "parsing it"}
    drawn += [
        Bar("CPU of one frame of audio, µs", title, one["frame"][way])
        for way, title in received.items()
    ]
    note = f"{one['calls']} calls of {one['seconds']} s with the audio of both sides"
    return bars("Observed Live calls in one process", "", drawn, note=note)


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
