from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.__main__ import PAGES
from bench.harness.fake_endpoint import content_length
from bench.harness.fake_sideband import EVENTS_A_TURN, USAGE, events, question, reply
from bench.harness.load import Generator, Load
from bench.measure import emulator, page
from bench.report.console import pictures, ratios, table
from bench.report.markdown import BLOCK, BLOCKS, filled
from bench.report.markdown import wanted as targets
from bench.report.stats import middle, quantile, ratio
from bench.report.svg import Bar, bars, number

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


def test_the_middle_of_rounds_is_taken_number_by_number() -> None:
    rounds = [{"ms": 3, "kept": {"a": 1}}, {"ms": 100, "cpu": 2}, {"ms": 5, "cpu": None}]
    assert middle(rounds) == {"ms": 5, "kept": {"a": 1}, "cpu": 2}


def test_a_ratio_of_what_was_not_measured_is_none() -> None:
    assert ratio(1.0, 2.0) == 0.5
    assert ratio(None, 2.0) is None
    assert ratio(1.0, 0.0) is None


def test_ratios_are_against_the_article_and_the_floor() -> None:
    found = ratios(SIDES)
    assert found["/connect p50 at 1 caller, of the article's"] == 0.5
    assert found["/connect requests/s at 64 callers, of the article's"] == 32.0
    assert found["/connect requests/s at 64 callers, of nginx's"] is None


def test_the_table_says_what_was_skipped() -> None:
    assert "no nginx" in table(FOUND)


def test_pictures_are_well_formed_and_say_their_numbers() -> None:
    for picture in pictures(FOUND).values():
        root = ElementTree.fromstring(picture)
        assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert "prefers-color-scheme:dark" in picture
    assert len(pictures(FOUND)) == 2


def test_what_was_measured_from_afar_is_shown() -> None:
    one = {"token 1": {"p50_ms": 174.5}, "connect 1": {"p50_ms": 175.5}}
    afar = {"skipped": "", "round_trip_ms": 21.6, "latency_ms": 150.0, "sides": {"broker": one}}
    assert "21.6 ms away" in table({"afar": afar})
    assert "175.5" in table({"afar": afar})
    assert set(pictures({"afar": afar})) == {"bench-distance.svg"}


def test_no_distance_no_picture_of_it() -> None:
    skipped = {"afar": {"skipped": "a network namespace needs root"}}
    assert pictures(skipped) == {}
    assert "needs root" in table(skipped)


def test_a_picture_escapes_its_words() -> None:
    root = ElementTree.fromstring(bars('a < b & "c"', "/s", [Bar("g>", "n&", 1.0)]))
    assert root.get("aria-label") == 'a < b & "c"'


def test_numbers_have_the_digits_that_mean_something() -> None:
    assert [number(each) for each in (0.123, 12.34, 1234.5)] == ["0.12", "12.3", "1,234"]


def test_a_call_of_the_source_says_what_it_is_known_to_say() -> None:
    said = list(events("rtc_a", 2))
    assert len(said) == 2 * EVENTS_A_TURN
    spoken = "".join(event.get("delta", "") for event in said[:EVENTS_A_TURN])
    assert spoken == reply("rtc_a", 0)
    words = [event["transcript"] for event in said if "input_audio_transc" in event["type"]]
    assert words == [question("rtc_a", turn) for turn in range(2)]
    assert said[-1]["response"]["usage"] == USAGE


def test_a_request_counts_by_its_share_of_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = Generator(Load("http://broker.example/api/connect"))
    generator.from_then, generator.ends = 10.0, 20.0
    for began, ended in ((8.0, 9.0), (8.0, 12.0), (12.0, 16.0), (19.0, 23.0)):
        monkeypatch.setattr("bench.harness.load.time.perf_counter", lambda ended=ended: ended)
        generator.note(began, "201")
    assert (generator.answers, generator.in_window) == (4, 0 + 0.5 + 1 + 0.25)


def test_the_length_of_a_request_is_read_whatever_the_case() -> None:
    assert content_length(b"POST / HTTP/1.1\r\ncontent-LENGTH: 12") == 12
    assert content_length(b"GET / HTTP/1.1") == 0


MARKS = {
    "click": 1000.0, "microphone asked": 1004, "microphone": 1023, "offer": 1018, "posted": 1025,
    "answered": 1190, "ice": 1196, "dtls": 1213, "open": 1218,
}  # fmt: skip
CALLED = page.stages(MARKS)


def test_the_steps_of_a_call_add_up_to_the_whole() -> None:
    assert CALLED == {
        "open_ms": 218, "before_ms": 25, "answer_ms": 165, "ice_ms": 6, "dtls_ms": 17,
        "channel_ms": 5, "microphone_ms": 19, "offer_ms": 18,
    }  # fmt: skip


def test_a_state_told_late_takes_no_time_from_another_step() -> None:
    late = page.stages({**MARKS, "ice": 1230, "dtls": 1225})
    assert sum(late[f"{step}_ms"] for step in page.STEPS) == late["open_ms"] == 218
    assert min(late.values()) >= 0


def test_a_step_that_was_not_marked_is_an_error() -> None:
    with pytest.raises(KeyError):
        page.stages({name: at for name, at in MARKS.items() if name != "posted"})


def test_the_page_is_shown_against_the_articles() -> None:
    slow = {**CALLED, "open_ms": 436.0}
    found = page.summed({"article": [slow], "page": [CALLED], "page, by /token": [slow]}, "1.0")
    assert found["ratio"] == 0.5
    assert "of the article's: 0.50, by /token 1.00" in table({"page": found})
    assert list(pictures({"page": found})) == ["bench-page.svg"]


def test_a_page_that_was_not_measured_says_why() -> None:
    found = {"page": {"skipped": "no Chromium"}}
    assert "no Chromium" in table(found)
    assert pictures(found) == {}


def test_calls_a_core_are_told_from_the_largest_crowd() -> None:
    def came(share: float | None) -> list[dict[str, float | None]]:
        return [{"core_share": share, "frames_a_second": 50.0}]

    found = emulator.summed({"idle": {1: came(0.1), 8: came(0.04)}, "talks": {1: came(None)}})
    assert found["kinds"]["idle"]["calls_a_core"] == 25
    assert found["kinds"]["talks"]["calls_a_core"] is None
    assert " 25.0  silence both ways (4.0% of a core each, 8 at once" in table({"emulator": found})
    assert list(pictures({"emulator": found})) == ["bench-emulator.svg"]


def test_the_pages_say_what_the_results_say() -> None:
    results = json.loads((ROOT / "bench" / "results" / "latest.json").read_text())
    blocks = []
    for each in PAGES:
        text = each.read_text()
        assert filled(text, results) == text, "python3 dev.py bench writes the tables"
        blocks += [match[2] for match in BLOCK.finditer(text)]
    assert sorted(blocks) == sorted(BLOCKS)


def test_what_was_wanted_is_said_to_be_met_or_not() -> None:
    met = {"sides": {"sides": SIDES}, "cold": {"import_ratio": 1.31}}
    rows = (targets(met) or "").splitlines()
    assert [row for row in rows if "import of" in row and "1.31, **not met**" in row]
    assert [row for row in rows if "/connect p50" in row and "not met" not in row]
    assert targets({}) is None


def test_a_block_without_results_stays_as_it_is() -> None:
    page = "before\n<!-- bench: growth -->\nold\n<!-- end -->\nafter"
    assert filled(page, {}) == page
    found = {"growth": {"requests": 1000, "grown_mib": 0.25, "memory_mib": [50.0, 50.25]}}
    assert "+0.2 MiB (50.0, 50.2 MiB" in filled(page, found)
