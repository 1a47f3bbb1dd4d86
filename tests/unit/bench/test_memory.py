"""What the bench says about memory, and the storage that must not grow while it is measured."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.harness.bounded_host import ROWS, BoundedStorage
from bench.report.registry import BLOCKS, all_figures
from bench.report.render import pictures
from bench.report.stats import last_third
from bench.report.targets import MEMORY_OF_CALLS, MEMORY_OF_REQUESTS
from shared.storage.interfaces import Entity

LEVEL, GROWING = [50.0] * 11, [50.0 + each for each in range(11)]
FOUND: dict[str, Any] = {
    "growth": {
        "requests": 1000,
        "grown_mib": 0.0,
        "memory_mib": LEVEL,
        "calls": {"number": 100, "memory_mib": GROWING},
    }
}


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (LEVEL, 1.0),
        ([40.0, 45.0, 50.0, 50.0, 50.0, 50.0], 1.0),
        ([1.0, 1.0, 1.0, 1.0, 2.0, 2.0], 2.0),
        ([1.0] * 5, None),
        ([1.0, 1.0, 1.0, None, 1.0, 1.0], None),
    ],
)
def test_the_last_third_is_compared_with_the_one_before(
    values: list[float | None], wanted: float | None
) -> None:
    assert last_third(values) == wanted


def test_requests_and_calls_are_each_held_to_being_level() -> None:
    found = all_figures(FOUND)
    assert found[MEMORY_OF_REQUESTS].value == 1.0
    assert (found[MEMORY_OF_CALLS].value or 0) > 1.05
    said = (BLOCKS["growth"](FOUND) or "").split("\n\n")
    assert said[0].startswith("1,000 requests: +0.0 MiB (50.0, ")
    assert said[1].startswith("100 calls: +10.0 MiB (50.0, 51.0, ")


def test_the_picture_has_a_line_for_each() -> None:
    drawing = ElementTree.fromstring(pictures(FOUND)["bench-growth.svg"])
    found = [each for each in drawing.iter() if each.tag.endswith("polyline")]
    assert [len(each.attrib["points"].split()) for each in found] == [11, 11]


def test_its_storage_keeps_the_latest_rows_and_nothing_for_later() -> None:
    storage = BoundedStorage()
    table, queue = storage.table("calls"), storage.queue("end-call")
    for number in range(ROWS + 5):
        table.insert(Entity("one", f"{number:05}", {"number": number}))
    assert len(table.rows) == ROWS
    assert table.get("one", "00004") is None
    assert table.get("one", f"{ROWS + 4:05}") is not None
    queue.send("later", delay=timedelta(seconds=30))
    queue.send("now")
    assert len(queue.messages) == 1
