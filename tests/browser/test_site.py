"""The static files: nothing from other hosts, nothing inline, and the role of every route."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

SITE = Path(__file__).resolve().parents[2] / "frontend"
MOST_BYTES = 300 * 1024
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
            r"https?://(?!www\.w3\.org/2000/svg)|@import\s*['\"u]|url\(['\"]?(//|data:)",
            path.read_text(encoding="utf-8"),
        )
    ]
    assert naming == []


NOT_SERVED = {
    *("jsconfig.json", "package.json", "README.md", "LICENSE", "element.d.ts"),
    "staticwebapp.config.json",
}
"""The configuration, what `infra/hooks/web_config.py` leaves out, and `types/` that npm makes."""


OPENED_LATER = ("OFL.txt", "/admin.js", "/diagnosis.js")
"""Texts of what a visit does not begin with."""


def served() -> dict[str, bytes]:
    """Each file that a browser can get, by its path."""
    files = {path.relative_to(SITE).as_posix(): path for path in SITE.rglob("*") if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if path.name not in NOT_SERVED and not name.endswith(".d.ts")
    }


def test_all_that_is_served_is_small() -> None:
    """Compressed, file by file, as Static Web Apps serves it."""
    assert sum(len(gzip.compress(content)) for content in served().values()) <= MOST_BYTES


@pytest.mark.parametrize("language", sorted(path.name for path in (SITE / "languages").iterdir()))
def test_what_a_visit_loads_is_small(language: str) -> None:
    """Of our page in one language, before compression. The desk is another page, and the diagnosis
    is loaded when somebody opens it."""

    def loads(name: str) -> bool:
        if name == "languages/en/problems.js":  # problems.js speaks English without being told
            return True
        if name.startswith(("admin/", "diagnosis/")) or name.endswith(OPENED_LATER):
            return False
        return name.startswith(f"languages/{language}/") or not name.startswith("languages/")

    assert sum(len(content) for name, content in served().items() if loads(name)) <= MOST_BYTES


MODULES = [
    "/index.js",
    "/element/index.js",
    "/broker.js",
    "/diagnosis/panel.js",
    "/languages/es/call.js",
]


@pytest.mark.parametrize("path", MODULES)
def test_a_page_of_any_origin_may_load_the_modules(path: str) -> None:
    assert rule_for(path)["headers"] == {"Access-Control-Allow-Origin": "*"}
    assert (SITE / path[1:]).is_file()


def test_what_else_there_is_stays_with_this_origin() -> None:
    open_to_all = {rule["route"] for rule in CONFIG["routes"] if "headers" in rule}
    assert open_to_all == {"/element/*", "/diagnosis/*", "/languages/*", "/*.js"}
    assert not {name.lower() for name in CONFIG["globalHeaders"]} & {"access-control-allow-origin"}


def rule_for(path: str) -> dict[str, Any]:
    """The first matching rule; a wildcard is at the end, or before the ending of a file."""
    for rule in CONFIG["routes"]:
        route = rule["route"]
        before, star, after = route.partition("*")
        if route == path or (star and path.startswith(before) and path.endswith(after)):
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
