"""The deep health check of several endpoints: each is tried, at the same time as the others."""

from __future__ import annotations

import threading

from shared.admin.endpoint_probe import NotTried
from shared.admin.health import run_checks
from shared.core.problems import Problem
from tests.support.patience import PATIENCE


def test_several_endpoints_are_tried_at_once_and_shown_in_order() -> None:
    both = threading.Barrier(2)

    def wait() -> None:
        both.wait(PATIENCE)

    def fail() -> None:
        raise Problem("upstream_unreachable")

    def skip() -> None:
        raise NotTried

    checks = {"secret": wait, "model@a": wait, "calls@a": fail, "model@b": skip}
    found = run_checks(checks)
    assert found["status"] == "failing"
    shown = [(each["name"], each.get("endpoint"), each["status"]) for each in found["checks"]]
    assert shown == [
        ("secret", None, "ok"),
        ("model", "a", "ok"),
        ("calls", "a", "failing"),
        ("model", "b", "skipped"),
    ]
