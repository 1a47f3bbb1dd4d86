"""The static files: nothing from other hosts, nothing inline, and the role of every route."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

SITE = Path(__file__).resolve().parents[2] / "frontend"
MOST_BYTES = 300 * 1024
"""Of the page, the component, the desk and all languages together."""
CONFIG: dict[str, Any] = json.loads((SITE / "staticwebapp.config.json").read_text())


def policy() -> dict[str, list[str]]:
    header = CONFIG["globalHeaders"]["Content-Security-Policy"]
    return {name: sources for name, *sources in (part.split() for part in header.split(";"))}


def test_the_policy_lets_in_nothing_inline_or_foreign() -> None:
    rules = policy()
    assert rules["default-src"] == ["'self'"]
    assert not rules.keys() & {"script-src", "style-src"}, "they would widen default-src"
    assert not re.search("unsafe|\\*(?!\\.openai\\.azure\\.com)", json.dumps(rules))
    assert rules["frame-ancestors"] == ["'none'"]


def test_the_page_keeps_to_the_policy() -> None:
    html = (SITE / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)


def test_no_file_names_another_host() -> None:
    naming = [
        path.relative_to(SITE).as_posix()
        for path in SITE.rglob("*")
        if path.suffix in {".html", ".js", ".css"}
        and re.search(
            r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(['\"]?(//|data:)",
            path.read_text(encoding="utf-8"),
        )
    ]
    assert naming == []


def test_all_that_is_served_is_small() -> None:
    assert sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file()) <= MOST_BYTES


def rule_for(path: str) -> dict[str, Any]:
    """The first matching rule; a wildcard is at the end."""
    for rule in CONFIG["routes"]:
        route = rule["route"]
        if route == path or (route.endswith("*") and path.startswith(route[:-1])):
            found: dict[str, Any] = rule
            return found
    raise AssertionError(f"no rule for {path}")


@pytest.mark.parametrize("path", ["token", "connect", "session"])
def test_a_call_needs_somebody_signed_in_by_either_name(path: str) -> None:
    assert rule_for(f"/api/{path}")["allowedRoles"] == ["authenticated"]
    assert rule_for(f"/{path}") == {
        "route": f"/{path}",
        "rewrite": f"/api/{path}",
        "allowedRoles": ["authenticated"],
    }


@pytest.mark.parametrize("path", ["/api/calls/x/hangup", "/api/calls", "/api/usage", "/api/new"])
def test_every_other_route_does_too(path: str) -> None:
    assert rule_for(path)["allowedRoles"] == ["authenticated"]


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/app.js"])
def test_the_desk_is_for_admins(path: str) -> None:
    assert rule_for(path)["allowedRoles"] == ["admin"]


def test_health_needs_nobody() -> None:
    assert rule_for("/api/health")["allowedRoles"] == ["anonymous"]


def test_a_fetch_is_never_sent_to_a_login_page() -> None:
    assert "responseOverrides" not in CONFIG
    assert "/api/*" in CONFIG["navigationFallback"]["exclude"]
