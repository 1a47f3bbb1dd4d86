"""What got better or worse since the last recorded run, and how long a run still takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import measurements, recorded
from bench.__main__ import parse_options
from bench.measurements import PARTS
from bench.progress import Progress, minutes
from bench.report.comparison import Change, changes, compare, runs
from bench.report.figures import Better, Figure, relative
from bench.report.registry import BLOCKS
from bench.report.stats import medians

LAPTOP = {
    "system": "Linux x86_64",
    "cpu": "one",
    "cores": 2,
    "python": "3.11.7",
    "day": "2026-11-21",
}


def page(ours: list[float], floor: list[float], **more: Any) -> dict[str, Any]:
    """A run of the page alone, as the measurement gives it."""
    sides = {"page": ours, "floor": floor}
    medianed = {name: medians([{"open_ms": each} for each in ms]) for name, ms in sides.items()}
    return {"page": {"pages": medianed, **more}}


def verdict(now: list[float], before: list[float], better: Better = "less") -> str:
    def figure(rounds: list[float]) -> Figure:
        middle = sorted(rounds)[len(rounds) // 2] if rounds else None
        return Figure("any", middle, better, tuple(rounds))

    return Change(figure(now), figure(before)).verdict


@pytest.mark.parametrize(
    ("now", "before", "wanted"),
    [
        ([1.2, 1.21, 1.25], [1.0, 1.05, 1.1], "worse"),
        ([1.0, 1.05, 1.1], [1.2, 1.21, 1.25], "better"),
        ([1.09, 1.2, 1.3], [1.0, 1.05, 1.1], "same"),
        # All rounds are beyond the others, by next to nothing.
        ([1.011, 1.012, 1.013], [1.0, 1.005, 1.01], "same"),
        ([1.2, 1.2, 1.2], [], "new"),
        ([], [1.2, 1.2, 1.2], "gone"),
    ],
)
def test_a_ratio_is_worse_if_all_rounds_of_one_run_are_beyond_the_other(
    now: list[float], before: list[float], wanted: str
) -> None:
    assert verdict(now, before) == wanted


def test_more_is_better_where_it_is() -> None:
    assert verdict([0.5, 0.51, 0.52], [0.6, 0.61, 0.62], "more") == "worse"
    assert verdict([0.6, 0.61, 0.62], [0.5, 0.51, 0.52], "more") == "better"


def test_a_run_that_kept_no_rounds_may_have_varied_by_a_tenth() -> None:
    before = Figure("any", 1.0, "less")
    assert Change(Figure("any", 1.09, "less", (1.08, 1.1)), before).verdict == "same"
    assert Change(Figure("any", 1.12, "less", (1.11, 1.13)), before).verdict == "worse"
    assert Change(Figure("any", 1.15, "less"), before).verdict == "same"


def test_a_ratio_has_one_in_each_round() -> None:
    ours, floor = (
        medians([{"ms": each} for each in ms]) for ms in ([2.0, 6.0, 4.0], [1.0, 2.0, 4.0])
    )
    figure = relative("any", "less", ours, floor, "ms")
    assert (figure.value, figure.rounds) == (2.0, (2.0, 3.0, 1.0))
    once = medians([{"ms": 8.0}])
    assert relative("any", "less", ours, once, "ms").rounds == (0.25, 0.75, 0.5)
    assert relative("any", "less", ours, {}, "ms").value is None


def test_only_parts_that_were_measured_both_times_are_compared() -> None:
    now, before = page([220.0, 230.0], [200.0, 200.0]), page([210.0, 212.0], [200.0, 200.0])
    assert [one.verdict for one in changes(now, before)] == ["worse"]
    said = compare(now, {**before, "cold": {"import_ratio": 1.1}})
    assert said.startswith("1 worse.")
    assert "import" not in said
    assert "| 1.05 to 1.06 in 2 | 1.1 to 1.15 in 2 |" in said


def test_what_cannot_be_compared_says_why() -> None:
    now = page([220.0], [200.0])
    assert "page: not recorded before" in compare(now, {})
    assert "skipped when it was recorded, no Chromium" in compare(
        now, {"page": {"skipped": "no Chromium"}}
    )
    assert "skipped this time, no Chromium" in compare({"page": {"skipped": "no Chromium"}}, now)
    # As results were recorded before rounds were kept.
    older = {"page": {"pages": {"page": {"open_ms": 190.0}, "floor": {"open_ms": 200.0}}}}
    assert "not kept, ±0.095 assumed" in compare(now, older)


def test_machines_are_named_where_they_differ() -> None:
    one = page([220.0], [200.0], machine=LAPTOP, commit="abc1234")
    other = page([220.0], [200.0], machine={**LAPTOP, "cpu": "two", "packages": {"flask": "3"}})
    assert "Machines differ: cpu two → one." in compare(one, other)
    assert "Machines differ" not in compare(one, one)
    assert "busy" not in compare(one, other)
    busy = page([220.0], [200.0], machine={**LAPTOP, "load_average": [1.2, 0.5, 0.1]})
    assert "The machine was busy, with a load average of 1.2 before this run" in compare(busy, one)
    assert runs(one, other) == "2026-11-21 at commit abc1234, beside 2026-11-21"


def test_a_block_says_when_it_was_measured() -> None:
    growth = {"requests": 1000, "grown_mib": 0.25, "memory_mib": [50.0, 50.25], "machine": LAPTOP}
    found: dict[str, Any] = {"growth": {**growth, "commit": "abc1234", "took_seconds": 61.4}}
    text = BLOCKS["growth"](found) or ""
    assert text.endswith("*Measured on 2026-11-21 at commit abc1234.*")
    assert "| growth | 61 | 2026-11-21 at commit abc1234 |" in (BLOCKS["parts"](found) or "")


def test_results_that_are_kept_replace_none_by_a_skipped_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "RESULTS", tmp_path)
    monkeypatch.setattr(recorded, "LATEST", tmp_path / "latest.json")
    first = {"cold": {"import_ratio": 1.1}, **page([220.0], [200.0])}
    assert recorded.keep(first) == first
    now = {"page": {"skipped": "no Chromium"}, "cold": {"import_ratio": 1.2}}
    assert recorded.keep(now) == {**first, "cold": {"import_ratio": 1.2}} == recorded.read()


async def test_a_part_that_fails_costs_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> dict[str, Any]:
        raise RuntimeError("nginx does not listen")

    async def give() -> dict[str, Any]:
        return {"ratio": 1.0}

    parts = {"sides": fail, "page": give}
    monkeypatch.setattr(measurements, "measurements", lambda *_: parts)
    kept: dict[str, dict[str, Any]] = {}
    lines: list[str] = []
    options = parse_options(["--only", "page,sides"])
    failed = await measurements.measure(options, lines.append, kept.__setitem__, {})
    assert failed == {"sides": "RuntimeError: nginx does not listen"}
    assert list(kept) == ["page"]
    assert kept["page"]["ratio"] == 1.0
    assert {"machine", "commit", "took_seconds"} < set(kept["page"])
    assert any("failed after" in line for line in lines)


def test_the_parts_take_ten_minutes_together_without_the_soak() -> None:
    assert sum(PARTS.values()) - PARTS["soak"] <= 10 * 60


def test_progress_says_what_is_left() -> None:
    now = [0.0]
    progress = Progress({"cold": 30.0, "page": 60.0}, clock=lambda: now[0])
    assert progress.stamp() == "0:00, 1:30 left"
    progress.begin("cold")
    now[0] = 10.0
    assert progress.stamp() == "0:10, 1:20 left"
    now[0] = 45.0
    assert progress.left == 60.0, "a part that is late is about to end"
    assert progress.end() == 45.0
    progress.begin("page")
    now[0] = 46.0
    assert progress.stamp() == "0:46, 0:59 left"
    assert minutes(61.4) == "1:01"
