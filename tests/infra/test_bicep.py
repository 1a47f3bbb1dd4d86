"""The text of the infrastructure follows its rules, and the rules detect violations.

CI also runs the Bicep compiler (test_compiler.py), PSRule and checkov. These rules run anywhere, in
half a second, and cover what the product needs.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.infra import bicep, language, product
from tests.infra.language import Project

ROOT = Path(__file__).parent.parent.parent


def findings(root: Path) -> list[str]:
    project = Project.at(root)
    return [*language.findings(project), *product.findings(project)]


def test_the_infrastructure_keeps_its_rules() -> None:
    assert findings(ROOT) == []


@dataclass(frozen=True)
class Mistake:
    """A replacement in a file, and the text of the finding that it must cause."""

    file: str
    old: str
    new: str
    found: str


MISTAKES = {
    "a misspelt parameter of a module": Mistake(
        "infra/main.bicep", "tableEndpoint: storage", "tabelEndpoint: storage",
        "has no parameter tabelEndpoint",
    ),
    "a parameter that a module is not given": Mistake(
        "infra/main.bicep", "    queueEndpoint: storage.outputs.queueEndpoint\n", "",
        "needs the parameter queueEndpoint",
    ),
    "a module that is not there": Mistake(
        "infra/main.bicep", "'modules/vault.bicep'", "'modules/vaults.bicep'",
        "modules/vaults.bicep does not exist",
    ),
    "an output that a module does not have": Mistake(
        "infra/main.bicep", "identity.outputs.clientId", "identity.outputs.clientID",
        "has no output clientID",
    ),
    "a name that is not declared": Mistake(
        "infra/modules/web.bicep", "if (!empty(signInClientId))", "if (!empty(signinClientId))",
        "reads signinClientId, which is not declared",
    ),
    "a parameter that nobody reads": Mistake(
        "infra/modules/api.bicep", "http: { perInstanceConcurrency: httpConcurrency }",
        "http: { perInstanceConcurrency: 16 }", "param httpConcurrency is unused",
    ),
    "an api-version of its own": Mistake(
        "infra/modules/vault.bicep", "Microsoft.KeyVault/vaults@2025-05-01",
        "Microsoft.KeyVault/vaults@2023-07-01", "not Microsoft.KeyVault/vaults@2025-05-01",
    ),
    "a parameter without a source": Mistake(
        "infra/main.parameters.json", "${AZURE_PRINCIPAL_TYPE=User}", "${AZURE_PRINCIPAL_KIND}",
        "azd has no AZURE_PRINCIPAL_KIND",
    ),
    "two defaults that differ": Mistake(
        "infra/main.parameters.json", "${LIMIT_CALL_SECONDS=900}", "${LIMIT_CALL_SECONDS=3600}",
        "limitCallSeconds is 3600, but 900 in main.bicep",
    ),
    "an output that nobody reads": Mistake(
        "infra/modules/identity.bicep", "output principalId", "output tenantId string = 'x'\n"
        "@description('.')\noutput principalId", "output tenantId is unused",
    ),
    "a secret that is made up anew": Mistake(
        "infra/main.bicep", "brokerSecret: brokerSecret", "brokerSecret: newGuid()",
        "newGuid is used",
    ),
    "a secret parameter in the open": Mistake(
        "infra/modules/web.bicep", "@secure()\n", "", "signInClientSecret is not secure",
    ),
    "a setting that is forgotten": Mistake(
        "infra/main.bicep", "      TOKEN_SECONDS: string(tokenSeconds)\n", "",
        "the app setting TOKEN_SECONDS is not set",
    ),
    "a setting that the app does not know": Mistake(
        "infra/main.bicep", "LIMIT_LIVE_CALLS:", "LIMIT_LIFE_CALLS:",
        "the app has no setting LIMIT_LIFE_CALLS",
    ),
    "a setting that Flex refuses": Mistake(
        "infra/modules/api.bicep", "  AZURE_CLIENT_ID: identityClientId",
        "  AZURE_CLIENT_ID: identityClientId\n  FUNCTIONS_WORKER_RUNTIME: 'python'",
        "Flex Consumption refuses FUNCTIONS_WORKER_RUNTIME",
    ),
    "deployments at the same time": Mistake(
        "infra/modules/model.bicep", "  dependsOn: [realtime]\n", "", "does not wait for realtime",
    ),
    "a table that the app uses": Mistake(
        "infra/modules/storage.bicep",
        "'ledger', ",
        "",
        "the app uses the table ledger, which is not created",
    ),
    "a function that is not there": Mistake(
        "infra/main.bicep",
        "'observe_call'",
        "'observe_calls'",
        "the app has no queue function observe_calls",
    ),
    "an alert on what is not logged": Mistake(
        "infra/monitoring/alerts.json",
        "startswith 'misconfigured {'",
        "startswith 'misconfiguration {'",
        "the app never logs misconfiguration",
    ),
    "an alert that nothing explains": Mistake(
        "infra/monitoring/alerts.json",
        "Storage is unavailable",
        "Storage is gone",
        "no section for the alert Storage is gone",
    ),
    "a pipeline that is not told": Mistake(
        "azure.yaml", "    - LIMIT_TOKENS_PER_DAY\n", "",
        "LIMIT_TOKENS_PER_DAY is not passed to a pipeline",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(name: str, tmp_path: Path) -> None:
    mistake = MISTAKES[name]
    for folder in ("infra", "shared"):
        unwanted = shutil.ignore_patterns("__pycache__", "snapshots")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=unwanted)
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "operations.md", tmp_path / "docs")
    shutil.copy(ROOT / "function_app.py", tmp_path)
    shutil.copy(ROOT / "azure.yaml", tmp_path)
    file = tmp_path / mistake.file
    text = file.read_text(encoding="utf-8")
    assert text.count(mistake.old) >= 1, "the text to replace is no longer in the file"
    file.write_text(text.replace(mistake.old, mistake.new, 1), encoding="utf-8")
    assert any(mistake.found in each for each in findings(tmp_path)), findings(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [("sku: { name: sku }", "sku: { name: sku"), ("'default'", "'default"), ("kind:", "kind")],
)
def test_what_does_not_parse_is_not_passed_over(old: str, new: str, tmp_path: Path) -> None:
    text = (ROOT / "infra" / "modules" / "storage.bicep").read_text(encoding="utf-8")
    broken = tmp_path / "storage.bicep"
    broken.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(bicep.BicepError):
        bicep.read(broken)


def test_every_setting_that_bicep_leaves_out_is_named_in_the_documents() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    for name, reason in product.NOT_SET_BY_BICEP.items():
        assert re.search(rf"^\| `{name}` \| .+ \|$", page, re.MULTILINE), (name, reason)


def test_every_variable_of_azd_is_named_in_the_documents() -> None:
    pages = "".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))
    )
    file = (ROOT / "infra" / "main.parameters.json").read_text(encoding="utf-8")
    variables = set(re.findall(r"\$\{(\w+)", file)) - product.MADE_BY_HOOKS - product.MADE_BY_AZD
    assert [
        name for name in sorted(variables) if not re.search(rf"(`|env set ){name}\b", pages)
    ] == []
