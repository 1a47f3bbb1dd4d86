"""The docs and the code agree."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from shared.api.routes import ROUTES
from shared.config.live_profiles import ELSEWHERE
from shared.config.settings_loader import NAMES
from shared.core.problem_catalog import CATALOGUE
from shared.core.problems import Problem

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md"))
OUTSIDE = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "realtime_emulator/README.md",
    "realtime_client/README.md",
)
OF_NO_START = {
    *("call_not_found", "invalid_event", "event_refused"),
    "calls_unobserved",
    *("endpoint_removed", "recording_not_found", "range_required", "range_not_satisfiable"),
}
"""Problems of what is done with calls that there are, which admins and programs see."""
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


def test_every_problem_of_a_call_has_words_for_who_calls() -> None:
    words = read("frontend/problems.js") + read("frontend/languages/en/problems.js")
    without = {code for code in CATALOGUE if not re.search(rf"\b{code}\b", words)}
    assert without == OF_NO_START


def test_every_check_of_a_sign_in_is_explained_and_nothing_else() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "shared/auth").glob("*.py"))
    explained = re.findall(r"^\| `([a-z_]+)` \|", read("docs/sign-in.md"), re.M)
    assert sorted(explained) == sorted(set(re.findall(r'check="([a-z_]+)"', code)))


def test_every_route_is_documented_and_nothing_else() -> None:
    documented = set(re.findall(r"^\| `[A-Z, ]+ /api/([^`]*)`", read("docs/api.md"), re.M))
    assert documented == set(ROUTES)


def test_what_the_page_guide_says_that_the_policy_forbids_is_forbidden() -> None:
    config = json.loads(read("frontend/staticwebapp.config.json"))
    policy = config["globalHeaders"]["Content-Security-Policy"]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split("; ")}
    assert rules["default-src"] == ["'self'"]
    assert not rules.keys() & {"script-src", "style-src", "worker-src"}
    assert not {"data:", "blob:"} & set(rules["media-src"])
    assert not any("realtimeapi-preview" in source for source in rules["connect-src"])


def test_the_guide_to_gpt_live_has_every_field_of_a_session() -> None:
    schema = json.loads(read("profiles/live-profile.schema.json"))
    table = read("docs/live.md").partition("| field of `session` |")[2].partition("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = {name.split(".")[0] for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    assert named - {"safety_identifier"} == set(schema["$defs"]["session"]["properties"])


def test_the_guide_to_gpt_live_refuses_what_the_broker_refuses() -> None:
    said = read("docs/live.md").partition("Not in Live, and refused")[2].partition("\n\n")[0]
    for name in re.findall(r"`([a-z_.]+)`", said):
        places = {name, f"session.{name}"}
        assert places & set(ELSEWHERE) or name.startswith("delegation"), name


def test_the_example_of_a_problem_is_what_the_broker_sends() -> None:
    [example] = re.findall(r"```json\n(.*?)```", read("docs/api.md"), re.S)
    shown = json.loads(example)
    assert shown == Problem(shown["code"]).body(shown["request_id"])


def test_the_modules_of_the_edge_are_routes_and_triggers_only() -> None:
    assert len(read("function_app.py").splitlines()) < 40
    for module in ("routes", "triggers"):
        assert len(read(f"shared/api/{module}.py").splitlines()) < 150


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*OUTSIDE, *PAGES])
def test_links_between_the_documents_lead_somewhere(page: str) -> None:
    for link, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", read(page)):
        if re.match(r"[a-z]+:", link):
            continue
        target = (ROOT / page).parent / link if link else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), f"{link}#{anchor}"


FOLDERS = tuple(
    f"{folder}/"
    for folder in (
        *(
            "shared",
            "local",
            "realtime_emulator",
            "realtime_client",
            "bench",
            "tests",
            "frontend",
            "infra",
        ),
        *("profiles", "docs", ".github", ".ci"),
    )
)


def named_paths(page: str) -> set[str]:
    """Every file and folder that a page names as code."""
    spans = set(re.findall(r"(?<!`)`([^`\s*<{…]+)`(?!`)", read(page)))
    roots = {path.name for path in ROOT.iterdir() if path.is_file()}
    return {
        span for span in spans if (span.startswith(FOLDERS) or span in roots) and "::" not in span
    }


@pytest.mark.parametrize("page", [*OUTSIDE, *PAGES])
def test_every_path_that_a_page_names_exists(page: str) -> None:
    named = named_paths(page)
    assert len(named) > 70 or page != "docs/architecture.md", "has the page lost its map?"
    assert not [path for path in sorted(named) if not (ROOT / path).exists()]


def test_the_map_has_every_package_and_every_folder_of_local() -> None:
    packages = {
        f"{folder.parent.name}/{folder.name}/"
        for top in ("shared", "local")
        for folder in (ROOT / top).iterdir()
        if (folder / "__init__.py").exists()
    }
    assert packages - named_paths("docs/architecture.md") == set()


def test_every_bicep_module_is_in_the_table() -> None:
    table = read("docs/architecture.md").partition("## The Bicep modules")[2].partition("\n## ")[0]
    modules = {path.stem for path in ROOT.glob("infra/modules/*.bicep")}
    assert set(re.findall(r"`([a-z-]+)`", table)) == modules


TEST_FOLDERS = ("unit", "contract", "browser", "infra", "fuzz")
NAMED_TEST = re.compile(
    rf"`((?:(?:{'|'.join(TEST_FOLDERS)})/[\w/]*)?(?:test_\w+\.py)?)(?:::(\w+))?`"
)
NOT_HELD = "**What cannot be held**"


def test_every_test_that_the_security_page_names_exists() -> None:
    named = {found for found in NAMED_TEST.findall(read("docs/security.md")) if found[0]}
    assert len(named) > 100
    for path, name in sorted(named):
        assert (ROOT / "tests" / path).exists(), path
        assert re.search(rf"^(?:async )?def {name}\(", read(f"tests/{path}"), re.M), (path, name)


def claims() -> list[str]:
    """What the security page says is held: a list item or a row of a table each."""
    found = []
    for section in re.split(r"^## ", read("docs/security.md"), flags=re.M):
        held = section.partition(NOT_HELD)[0]
        found += re.findall(r"^- (?:.+\n)(?:  .+\n)*", held, re.M)
        found += [row for row in re.findall(r"^\| .+", held, re.M) if not row.endswith("| test |")]
    return [each for each in found if not each.startswith("| ---")]


def test_every_claim_of_the_security_page_names_a_test() -> None:
    assert len(claims()) > 80
    assert [claim for claim in claims() if "::test_" not in claim] == []
