from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.contenders.servers import Contender
from bench.harness.fake_sideband import EVENTS_PER_TURN, USAGE, call_events, question, reply
from bench.harness.live_sideband import STEPS_PER_SECOND, events_at, turns_of
from bench.harness.load import Load, LoadGenerator
from bench.measure import emulator, first_sound, page
from bench.measure.requests import CALLERS, KINDS, loads_of_round
from bench.recorded import PAGES
from bench.report.chart import Bar, bars, number
from bench.report.parts.requests import ratios_of
from bench.report.registry import BLOCKS
from bench.report.render import BLOCK, fill_page, pictures, report
from bench.report.stats import EACH_ROUND, medians, quantile, ratio

ROOT = Path(__file__).resolve().parents[3]
ONE = {"per_second": 400.0, "p50_ms": 155.0, "p99_ms": 170.0, "added_p50_ms": 5.0, "cpu_ms": 1.2}
SIDES = {
    "article": {"connect 1": {**ONE, "p50_ms": 310.0}, "connect 64": {**ONE, "per_second": 12.5}},
    "broker": {"connect 1": ONE, "connect 64": ONE},
}
FOUND = {"sides": {"latency_ms": 150.0, "skipped": "no nginx", "sides": SIDES}}


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [
        ([], 0.5, 0.0),
        ([7.0], 0.99, 7.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 3.0),
        (list(range(100)), 0.99, 99),
    ],
)
def test_quantiles(values: list[float], share: float, wanted: float) -> None:
    assert quantile(values, share) == wanted


def test_each_number_has_a_median_over_the_rounds() -> None:
    rounds: list[dict[str, object]] = [
        {"ms": 3, "kept": {"a": 1}},
        {"ms": 100, "cpu": 2},
        {"ms": 5, "cpu": None},
    ]
    found = medians(rounds)
    assert found.pop(EACH_ROUND) == {"ms": [3, 100, 5], "cpu": [2]}
    assert found == {"ms": 5, "kept": {"a": 1}, "cpu": 2}


def test_a_ratio_of_what_was_not_measured_is_none() -> None:
    assert ratio(1.0, 2.0) == 0.5
    assert ratio(None, 2.0) is None
    assert ratio(1.0, 0.0) is None


def test_ratios_are_relative_to_the_article_and_to_nginx() -> None:
    found = {figure.name: figure.value for figure in ratios_of(SIDES)}
    assert found["/connect p50 at 1 caller, relative to the article's"] == 0.5
    assert found["/connect requests/s at 64 callers, relative to the article's"] == 32.0
    assert found["/connect requests/s at 64 callers, relative to nginx"] is None


def test_the_report_says_what_was_skipped() -> None:
    assert "sides: skipped, no nginx" in report(FOUND)
    assert "| `/connect` | 64 | broker | 400 | 155 | 170 | 1.2 | - |" in report(FOUND)


def test_pictures_are_well_formed() -> None:
    for picture in pictures(FOUND).values():
        root = ElementTree.fromstring(picture)
        assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert "prefers-color-scheme:dark" in picture
    assert len(pictures(FOUND)) == 2


def test_what_was_measured_from_afar_is_reported() -> None:
    one = {"token 1": {"p50_ms": 174.5}, "connect 1": {"p50_ms": 175.5}}
    afar: dict[str, Any] = {"skipped": "", "round_trip_ms": 21.6, "latency_ms": 150.0}
    afar["sides"] = {"broker": one, "article": one}
    assert "A round trip took 21.6 ms." in report({"afar": afar})
    assert "| broker | 174 | 176 | 1 |" in report({"afar": afar})
    assert set(pictures({"afar": afar})) == {"bench-distance.svg"}


def test_no_distance_no_picture_of_it() -> None:
    skipped = {"afar": {"skipped": "a network namespace needs root"}}
    assert pictures(skipped) == {}
    assert "needs root" in report(skipped)


def test_a_picture_escapes_its_words() -> None:
    root = ElementTree.fromstring(bars('a < b & "c"', "/s", [Bar("g>", "n&", 1.0)]))
    assert root.get("aria-label") == 'a < b & "c"'


def test_numbers_have_their_significant_digits() -> None:
    assert [number(each) for each in (0.123, 12.34, 1234.5)] == ["0.12", "12.3", "1,234"]


def test_a_call_of_the_fake_sideband_sends_what_it_is_known_to_send() -> None:
    said = list(call_events("rtc_a", 2))
    assert len(said) == 2 * EVENTS_PER_TURN
    spoken = "".join(event.get("delta", "") for event in said[:EVENTS_PER_TURN])
    assert spoken == reply("rtc_a", 0)
    words = [event["transcript"] for event in said if "input_audio_transc" in event["type"]]
    assert words == [question("rtc_a", turn) for turn in range(2)]
    assert said[-1]["response"]["usage"] == USAGE


def test_a_live_call_of_the_bench_says_what_it_is_known_to_say() -> None:
    events = [
        each for step in range(15 * STEPS_PER_SECOND) for each in events_at("live_a", step, turns=2)
    ]
    known = turns_of("live_a", 12)
    assert [role for role, _ in known] == ["user", "assistant"] * 2
    for speaker, role in (("input", "user"), ("output", "assistant")):
        kind = f"session.{speaker}_transcript.delta"
        said = "".join(event["delta"] for event in events if event["type"] == kind)
        assert said == "".join(text for each, text in known if each == role)


def test_a_request_counts_by_its_share_of_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = LoadGenerator(Load("http://broker.example/api/connect"))
    generator.window_start, generator.window_end = 10.0, 20.0
    for began, ended in ((8.0, 9.0), (8.0, 12.0), (12.0, 16.0), (19.0, 23.0)):
        monkeypatch.setattr("bench.harness.load.time.perf_counter", lambda ended=ended: ended)
        generator.record_answer(began, "201")
    assert (generator.answers, generator.in_window) == (4, 0 + 0.5 + 1 + 0.25)


MARKS = {
    "click": 1000.0, "microphone asked": 1004, "microphone": 1023, "offer": 1018, "posted": 1025,
    "answered": 1190, "ice": 1196, "dtls": 1213, "open": 1218,
}  # fmt: skip
MEASURED = page.durations(MARKS)


def test_the_steps_of_a_call_add_up_to_the_whole() -> None:
    assert MEASURED == {
        "open_ms": 218, "before_ms": 25, "answer_ms": 165, "ice_ms": 6, "dtls_ms": 17,
        "channel_ms": 5, "microphone_ms": 19, "offer_ms": 18,
    }  # fmt: skip


def test_a_state_reported_late_takes_no_time_from_another_step() -> None:
    late = page.durations({**MARKS, "ice": 1230, "dtls": 1225})
    assert sum(late[f"{step}_ms"] for step in page.STEPS) == late["open_ms"] == 218
    assert min(late.values()) >= 0


def test_a_step_that_was_not_marked_is_an_error() -> None:
    with pytest.raises(KeyError):
        page.durations({name: at for name, at in MARKS.items() if name != "posted"})


def test_our_page_is_compared_with_the_articles() -> None:
    slow = {**MEASURED, "open_ms": 436.0}
    found = page.summarise(
        {"article": [slow], "page": [MEASURED], "page, by /token": [slow], "floor": [MEASURED]},
        "1.0",
    )
    assert found["ratio"] == 0.5
    said = report({"page": found})
    assert "0.50 of the other page's time, 1.00 by `/token`, and 1.00 of the floor" in said
    assert list(pictures({"page": found})) == ["bench-page.svg"]


def test_the_first_sound_is_compared_with_a_bare_pages() -> None:
    known = {"model_ms": 400.0, "buffer_ms": 40.0}
    turns = [{**known, "first_ms": ms, "page_ms": ms - 400} for ms in (1100.0, 1200.0, 1000.0)]
    found = {"sound": first_sound.summarise({"page": turns, "bare page": turns[:1]}, "1.0")}
    said = report(found)
    assert "| our page | 1,100 | 400 | 700 | 600 | 800 | 40 |" in said
    assert "Ratio of the rest: 1.00; 3 turns each." in said
    assert list(pictures(found)) == ["bench-sound.svg"]


def test_a_page_that_was_not_measured_says_why() -> None:
    found = {"page": {"skipped": "no Chromium"}}
    assert "no Chromium" in report(found)
    assert pictures(found) == {}


def test_calls_per_core_are_those_of_the_largest_group() -> None:
    def measured(share: float | None) -> list[dict[str, float | None]]:
        return [{"core_share": share, "frames_a_second": 50.0}]

    found = emulator.summarise(
        {"idle": {1: measured(0.1), 8: measured(0.04)}, "talks": {1: measured(None)}}
    )
    assert found["kinds"]["idle"]["calls_a_core"] == 25
    assert found["kinds"]["talks"]["calls_a_core"] is None
    assert "| silence both ways | 4 | 25 |" in report({"emulator": found})
    assert list(pictures({"emulator": found})) == ["bench-emulator.svg"]


def test_the_pages_say_what_the_results_say() -> None:
    results = json.loads((ROOT / "bench" / "results" / "latest.json").read_text())
    blocks = []
    for each in PAGES:
        text = each.read_text()
        assert fill_page(text, results) == text, "python3 dev.py bench writes the tables"
        blocks += [match[2] for match in BLOCK.finditer(text)]
    assert sorted(blocks) == sorted(BLOCKS)


def test_each_target_is_met_or_not() -> None:
    met = {"sides": {"sides": SIDES}, "cold": {"import_ratio": 1.31}}
    rows = (BLOCKS["wanted"](met) or "").splitlines()
    assert [row for row in rows if "import of" in row and "1.31, **not met**" in row]
    assert [row for row in rows if "/connect p50" in row and "not met" not in row]
    assert BLOCKS["wanted"]({}) is None


def test_a_block_without_results_stays_as_it_is() -> None:
    page = "before\n<!-- bench: growth -->\nold\n<!-- end -->\nafter"
    assert fill_page(page, {}) == page
    found = {"growth": {"requests": 1000, "grown_mib": 0.25, "memory_mib": [50.0, 50.25]}}
    assert "+0.2 MiB (50.0, 50.2 MiB" in fill_page(page, found)


def test_the_articles_service_is_measured_in_one_round() -> None:
    def contender(name: str, *, slow: bool) -> Contender:
        load = Load("http://127.0.0.1/any")
        return Contender(name, {"token": load, "connect": load}, pid=1, slow=slow)

    sides = [contender("article", slow=True), contender("broker", slow=False)]
    measured = [
        [(one.name, callers) for callers, kind, one, _ in loads_of_round(sides, 3, number)]
        for number in range(2)
    ]
    assert measured[1] == [("broker", callers) for callers in CALLERS for _ in KINDS]
    assert ("article", 64) in measured[0]
    assert ("article", 256) not in measured[0]


def test_what_is_much_alike_is_measured_in_two_rounds() -> None:
    load = Load("http://127.0.0.1/any")
    sides = [Contender("broker", {"token": load, "connect": load}, pid=1)]
    seen = [{callers for callers, *_ in loads_of_round(sides, 3, number)} for number in range(3)]
    assert seen == [set(CALLERS), set(CALLERS), {256}]
