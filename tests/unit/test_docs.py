"""The documents and the code say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from shared.config.settings import NAMES
from shared.core.problems import CATALOGUE

ROOT = Path(__file__).parent.parent.parent
PLATFORM = {"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage"}


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_every_setting_is_documented_and_nothing_else() -> None:
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", read("docs/settings.md"), re.M))
    assert documented == set(NAMES)


def test_the_settings_example_has_every_setting() -> None:
    example = json.loads(read("local.settings.json.example"))
    assert set(example["Values"]) - PLATFORM == set(NAMES)


def test_every_problem_code_has_a_section_and_every_section_a_code() -> None:
    sections = re.findall(r"^### `([a-z_0-9]+)`", read("docs/troubleshooting.md"), re.M)
    assert sorted(sections) == sorted(CATALOGUE)


def test_every_route_is_documented_and_nothing_else() -> None:
    routes = set(re.findall(r'@app\.route\(route="([^"]+)"', read("function_app.py")))
    documented = set(re.findall(r"^\| `[A-Z, ]+ /api/([^`]*)`", read("docs/api.md"), re.M))
    assert documented == routes


def test_function_app_is_routes_only() -> None:
    assert len(read("function_app.py").splitlines()) < 150


@pytest.mark.parametrize(
    "page", sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("docs/**/*.md"))
)
def test_links_between_the_documents_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", read(page)):
        if not re.match(r"[a-z]+:", link):
            assert ((ROOT / page).parent / link).exists(), link
