"""What azd, its template gallery and GitHub require: files, headings, pinned actions, workflows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import dev
from shared.core.upstream_problems import UPSTREAM_PROBLEMS
from shared.upstream.error_mapping import QUOTAS

ROOT = Path(__file__).parent.parent.parent
AZURE: dict[str, Any] = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# Rules that are not errors, and why.
LENIENT = {
    "use-resource-id-functions": "judges by property names, so a warning is enough",
    "use-recent-api-versions": "depends on the date, so the nightly workflow checks it",
    "use-recent-module-versions": "depends on others' releases, so the nightly workflow checks it",
}
PINNED = re.compile(r"^\s*(?:- )?uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
VERSION = re.compile(r"\d+\.\d+\.\d+")
BUILT_IN = {"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID", "AZURE_PRINCIPAL_TYPE"}


def text(path: str | Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "LICENSE",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "CODE_OF_CONDUCT.md",
        "azure.yaml",
        "infra/main.bicep",
        "infra/main.parameters.json",
        ".devcontainer/devcontainer.json",
        ".github/workflows/azure-dev.yml",
        ".github/ISSUE_TEMPLATE/bug.yml",
        ".github/dependabot.yml",
    ],
)
def test_what_the_gallery_looks_for_is_there(path: str) -> None:
    assert (ROOT / path).stat().st_size > 0


def test_the_readme_has_the_gallerys_headings() -> None:
    found = re.findall(r"^## (.+)$", text("README.md"), re.MULTILINE)
    assert {"Features", "Getting Started", "Guidance", "Resources"} <= set(found)


def test_azure_yaml_names_what_is_there() -> None:
    assert re.fullmatch(r"[\w-]+@\d+\.\d+\.\d+", AZURE["metadata"]["template"])
    assert AZURE["requiredVersions"]["azd"].startswith(">= ")
    for service in AZURE["services"].values():
        assert (ROOT / service["project"]).is_dir()
        assert service["host"] in ("function", "staticwebapp")
    # With a language, azd would look for a build and fail before the hook has filled the folder.
    assert "language" not in AZURE["services"]["web"]
    assert AZURE["services"]["api"]["remoteBuild"] is True


def test_azd_skips_the_page_exactly_where_bicep_creates_no_site() -> None:
    values = json.loads(text("infra/main.parameters.json"))["parameters"]
    assert AZURE["services"]["web"]["condition"] == values["enableStaticWebApp"]["value"]
    assert "condition" not in AZURE["services"]["api"]


def hooks() -> list[tuple[Path, dict[str, str]]]:
    found = [(ROOT, each) for each in AZURE["hooks"].values()]
    for service in AZURE["services"].values():
        found += [(ROOT / service["project"], each) for each in service.get("hooks", {}).values()]
    return [
        (base, each)
        for base, entry in found
        for each in (entry if isinstance(entry, list) else [entry])
    ]


def test_every_hook_is_there_and_is_run_by_python() -> None:
    run = set()
    for base, hook in hooks():
        assert hook["kind"] == "python"
        run.add((base / hook["run"]).resolve())
    programs = {
        path.resolve()
        for path in (ROOT / "infra" / "hooks").glob("*.py")
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
    }
    assert run == programs


def test_a_linked_site_has_no_configuration_of_the_cli_in_its_folder() -> None:
    for folder in ("frontend", "infra/site"):
        assert not (ROOT / folder / "swa-cli.config.json").exists()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_their_whole_hash(path: Path) -> None:
    used = [line for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not PINNED.match(line)] == []


def test_an_action_has_one_version() -> None:
    versions: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for name, version in re.findall(
            r"uses: ([\w-]+/[\w-]+)[\w/-]*@(\w+ # \S+)", path.read_text(encoding="utf-8")
        ):
            versions.setdefault(name, set()).add(version)
    assert {name: each for name, each in versions.items() if len(each) > 1} == {}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_asks_for_little_and_cannot_be_written_into(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    # YAML 1.1 reads the key `on` as true.
    assert "pull_request_target" not in (workflow.get("on") or workflow[True])
    assert workflow["permissions"]["contents"] == "read"
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), "an expression in a script allows injection"
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


def test_ci_covers_what_is_supported() -> None:
    workflow = yaml.safe_load(text(".github/workflows/ci.yml"))
    assert workflow["env"]["BICEP_REQUIRED"] == "1"
    jobs = workflow["jobs"]
    matrix = jobs["test"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    assert {system.partition("-")[0] for system in matrix["os"]} == {"ubuntu", "windows", "macos"}
    steps = "".join(str(step) for job in jobs.values() for step in job["steps"])
    for tool in (
        "local.lint bicep",
        "faketime",
        "ps-rule",
        "checkov",
        "codeql",
        "dependency-review",
    ):
        assert tool in steps


def test_the_pipeline_is_told_everything_that_azure_yaml_lists() -> None:
    env = yaml.safe_load(text(".github/workflows/azure-dev.yml"))["jobs"]["deploy"]["env"]
    for kind in ("variables", "secrets"):
        source = "vars" if kind == "variables" else "secrets"
        for name in AZURE["pipeline"][kind]:
            assert env.get(name) == f"${{{{ {source}.{name} }}}}", name
    known = {*AZURE["pipeline"]["variables"], *AZURE["pipeline"]["secrets"], *BUILT_IN}
    assert set(env) - known == {"AZURE_ENV_NAME", "AZURE_LOCATION"}


def test_bicep_lints_with_every_rule_as_an_error() -> None:
    commented = text("infra/bicepconfig.json")
    rules = json.loads(re.sub(r"^//.*$", "", commented, flags=re.MULTILINE))["analyzers"]["core"][
        "rules"
    ]
    assert len(rules) > 30
    assert {name for name, rule in rules.items() if rule["level"] != "error"} == set(LENIENT)


def dockerfiles() -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in ROOT.glob("*/Dockerfile")]


def test_ci_builds_every_image() -> None:
    jobs = yaml.safe_load(text(".github/workflows/ci.yml"))["jobs"].values()
    built = [step["run"] for job in jobs for step in job["steps"] if "docker build" in str(step)]
    assert dockerfiles()
    for file in dockerfiles():
        folder = file.rpartition("/")[0]
        assert any(f"--file {file}" in run or run.endswith(f"./{folder}") for run in built), file


def test_dependabot_looks_at_all_that_is_pinned() -> None:
    updates = yaml.safe_load(text(".github/dependabot.yml"))["updates"]
    seen = {
        (each["package-ecosystem"], folder)
        for each in updates
        for folder in each.get("directories") or [each["directory"]]
    }
    locks = {("uv", f"/{name}".rpartition("/")[0] or "/") for name in dev.LOCKED}
    images = {("docker", f"/{file}".rpartition("/")[0]) for file in dockerfiles()}
    assert {*locks, *images, ("github-actions", "/"), ("npm", "/tests/npm")} <= seen
    for ecosystem, folder in seen:
        if ecosystem == "npm":
            assert (ROOT / folder.strip("/") / "package.json").is_file()


def test_the_devcontainer_has_what_the_documents_ask_for() -> None:
    container = json.loads(text(".devcontainer/devcontainer.json"))
    for tool in ("azure-cli", "azd", "node"):
        assert any(tool in feature for feature in container["features"])
    assert 4280 in container["forwardPorts"]


def test_the_devcontainer_is_pinned() -> None:
    container = json.loads(text(".devcontainer/devcontainer.json"))
    assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+-3\.12-bookworm", container["image"])
    for feature, options in container["features"].items():
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+", feature)
        assert VERSION.fullmatch(options["version"]), feature


def test_the_tools_of_the_workflows_are_pinned() -> None:
    steps = [
        step
        for path in WORKFLOWS
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
        for step in job["steps"]
    ]
    wanted = {"Azure/setup-azd": "version", "actions/setup-node": "node-version"}
    for step in steps:
        action = step.get("uses", "").partition("@")[0]
        if action in wanted:
            assert VERSION.fullmatch(str(step["with"][wanted[action]])), step
        for module in step.get("with", {}).get("modules", "").split():
            install = rf"Install-Module {re.escape(module)} -RequiredVersion [\d.]+ "
            assert any(re.match(install, each.get("run", "")) for each in steps), module
        for packages in re.findall(r"pip install (.+)", step.get("run", "")):
            # The emulator's package is tried nightly with the newest that it allows.
            assert re.search(r"-r \S+\.txt$|^--quiet \./realtime_emulator$", packages), packages
        if step.get("run", "").startswith("azd deploy"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\d", step["env"]["NPM_CONFIG_BEFORE"])


def test_the_laptop_and_the_workflows_have_the_same_tools() -> None:
    features = json.loads(text(".devcontainer/devcontainer.json"))["features"]
    options = {name.rpartition("/")[2].partition(":")[0]: each for name, each in features.items()}
    ci = text(".github/workflows/ci.yml")
    assert f"BICEP_VERSION: {options['azure-cli']['bicepVersion']}" in ci
    assert f"node-version: {options['node']['version']}" in ci
    assert f"version: {options['azd']['version']}" in text(".github/workflows/azure-dev.yml")


def test_a_workbook_tile_says_where_it_looks() -> None:
    workbook = json.loads(text("infra/monitoring/workbook.json"))
    names = [item["name"] for item in workbook["items"]]
    assert len(names) == len(set(names))
    for item in workbook["items"]:
        if item["type"] == 3:
            assert item["content"]["timeContextFromParameter"] == "TimeRange"
            assert item["content"]["query"].startswith("traces")


def test_a_refusal_of_the_model_raises_one_alert() -> None:
    """All but the caller's own offer do, also those that get a code later."""
    alerts = {alert["name"]: alert for alert in json.loads(text("infra/monitoring/alerts.json"))}
    names = {
        name: set(re.findall(r"'([a-z]+_[a-z_]+)'", "\n".join(alerts[name]["query"])))
        for name in ("model-refuses", "model-fails", "model-quota")
    }
    assert names["model-quota"] == QUOTAS
    assert names["model-fails"] <= set(UPSTREAM_PROBLEMS)
    others = names["model-quota"] | names["model-fails"] | {"offer_refused"}
    assert names["model-refuses"] == others
    assert "!in" in "\n".join(alerts["model-refuses"]["query"])


def test_an_alert_gives_one_number() -> None:
    for alert in json.loads(text("infra/monitoring/alerts.json")):
        query = "\n".join(alert["query"])
        assert re.search(r"\bmeasured = ", query), alert["name"]
        assert "'{app}'" in query
        assert alert["severity"] in (0, 1, 2, 3)
        assert isinstance(alert["threshold"], int)
        # An alert's window must not be shorter than its evaluation interval.
        minutes = {"PT5M": 5, "PT15M": 15, "PT30M": 30, "PT1H": 60}
        assert minutes[alert["every"]] <= minutes[alert["window"]]
