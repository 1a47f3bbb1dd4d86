"""PSRule's settings hold, its verdict cannot be green about nothing, and its rules are repeated.

PSRule itself runs in the workflow alone: it needs PowerShell. Its rules about lateral traversal,
private subnets and ARR affinity are repeated in test_network.py and rules/resources.py.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.cases import EVERYTHING
from tests.infra.expansion import expand, needs_compiler, template
from tests.infra.psrule import LEAST_RESULTS, MUST_BE_SEEN, lacking

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "infra" / "ps-rule.yaml").read_text(encoding="utf-8")
OPTIONS: dict[str, Any] = yaml.safe_load(TEXT)
NONSENSITIVE = OPTIONS["configuration"]["AZURE_DEPLOYMENT_NONSENSITIVE_PARAMETER_NAMES"]
# What the rule Azure.Deployment.SecureParameter takes for a secret by its name.
SENSITIVE = re.compile(r"password|secret|token(?!s$)|credential|(?:^|[a-z])key$", re.IGNORECASE)
NOT_SECRET = {"brokerSecretName", "nameInVault"}


def results(path: Path, **changed: Any) -> Path:
    count = changed.get("count", LEAST_RESULTS)
    types = changed.get("types", MUST_BE_SEEN)
    outcome = changed.get("outcome", "Pass")
    records = [
        {"ruleName": f"Azure.{i}", "targetType": types[i % len(types)], "outcome": outcome}
        for i in range(count)
    ]
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def test_what_psrule_looked_at_is_believed(tmp_path: Path) -> None:
    assert lacking(results(tmp_path / "results.json")) == []
    marked = tmp_path / "marked.json"
    marked.write_bytes(b"\xef\xbb\xbf" + results(tmp_path / "results.json").read_bytes())
    assert lacking(marked) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"count": 0}, "0 results"),
        ({"count": LEAST_RESULTS - 1}, "results, fewer than"),
        ({"outcome": "None"}, "0 results"),
        ({"types": MUST_BE_SEEN[:-1]}, "no rule looked at Microsoft.Web/sites"),
    ],
)
def test_a_run_over_nothing_is_not_green(
    changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = results(tmp_path / "results.json", **changed)
    assert said in "\n".join(lacking(path))


@pytest.mark.parametrize("content", [None, "", "[]", "null"])
def test_a_run_without_results_is_not_green(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-S", "-m", "tests.infra.psrule", str(path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "PSRule: " in done.stdout


def test_the_workflow_reads_what_psrule_has_written() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["infrastructure"]["steps"]
    [at] = [i for i, each in enumerate(steps) if "microsoft/ps-rule" in each.get("uses", "")]
    given = steps[at]["with"]
    assert given["outputFormat"] == "Json"
    assert steps[at + 1]["run"] == f"python3 -m tests.infra.psrule {given['outputPath']}"
    assert "if" not in steps[at + 1]
    # `az bicep install` puts the compiler where PSRule does not look.
    assert any("PSRULE_AZURE_BICEP_PATH=" in each.get("run", "") for each in steps[:at])
    assert (ROOT / given["option"]).is_file()


def test_the_path_that_psrule_expands_exists() -> None:
    [_, looked_at] = OPTIONS["input"]["pathIgnore"]
    assert (ROOT / looked_at.removeprefix("!")).is_file()


def test_what_psrule_expands_has_the_switches_on() -> None:
    """But for those that are about what exists, or turn something off."""
    main, example = (
        (ROOT / "infra" / name).read_text(encoding="utf-8")
        for name in ("main.bicep", "ps-rule.bicep")
    )
    off = set(re.findall(r"^param (\w+) bool = false", main, re.MULTILINE))
    on = set(re.findall(r"^    (\w+): true", example, re.MULTILINE))
    assert off - on == {
        # What it deploys twice, or another rule for what PSRule excludes.
        "closeLast",
        "enableZoneRedundancy",
        # Of these PSRule has no rules.
        "enableDeleteLocks",
        "enableSiteDiagnostics",
        # It sets an app setting.
        "observeElsewhere",
    }


def test_every_exclusion_says_why_and_none_hides_what_holds() -> None:
    listed = TEXT[TEXT.index("  exclude:") :].splitlines()[1:]
    for before, line in itertools.pairwise(listed):
        if line.lstrip().startswith("- "):
            assert before.lstrip().startswith(("# ", "- ")), line
    excluded = set(OPTIONS["rule"]["exclude"])
    # The last two were renamed.
    assert not excluded & {
        "Azure.KeyVault.PurgeProtect",
        "Azure.KeyVault.Firewall",
        "Azure.Storage.Firewall",
        "Azure.NSG.LateralTraversal",
        "Azure.Deployment.SecureParameter",
        "Azure.Cognitive.PublicAccess",
        "Azure.Cognitive.PrivateEndpoints",
    }


@needs_compiler
def test_the_suppressed_group_is_the_clients_alone() -> None:
    file = ROOT / ".ps-rule" / "suppressions.Rule.yaml"
    [group] = yaml.safe_load_all(file.read_text(encoding="utf-8"))
    of_type, of_name = group["spec"]["if"]["allOf"]
    assert of_type["in"] == ["Microsoft.Network/networkSecurityGroups"]
    groups = expand(**EVERYTHING).of("Network/networkSecurityGroups")
    [part] = of_name["contains"]
    assert len(groups) == 2
    assert [part in each["name"] for each in groups].count(True) == 1
    assert group["spec"]["rule"] == [r"PSRule.Rules.Azure\Azure.NSG.LateralTraversal"]


@needs_compiler
def test_a_vault_and_storage_of_production_are_protected_and_closed() -> None:
    """Azure.KeyVault.PurgeProtect, Azure.KeyVault.Firewall and Azure.Storage.Firewall."""
    made = expand(**EVERYTHING)
    vault = made.the("KeyVault/vaults")["properties"]
    assert (vault["enablePurgeProtection"], vault["enableSoftDelete"]) == (True, True)
    for each in (vault, made.the("Storage/storageAccounts")["properties"]):
        assert each["networkAcls"]["defaultAction"] == "Deny"


@needs_compiler
def test_a_parameter_that_sounds_like_a_secret_is_secure() -> None:
    """Azure.Deployment.SecureParameter, which goes by names."""
    parameters = json.loads(template())["parameters"]
    sounding = {
        name
        for name, each in parameters.items()
        if each.get("type") == "string" and SENSITIVE.search(name) and name not in NOT_SECRET
    }
    assert sounding == set(NONSENSITIVE)
