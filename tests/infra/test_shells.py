"""The documents' command lines mean the same in bash and PowerShell, and what Azure expects."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.expansion import expand_template, needs_compiler, template
from tests.infra.shells import (
    PWSH,
    ShellError,
    bash_arguments,
    bash_output,
    powershell_words,
    pwsh_arguments,
    windows_powershell_arguments,
)

ROOT = Path(__file__).parent.parent.parent
RULE = ROOT / "infra" / "modules" / "turn-rule.bicep"
needs_bash = pytest.mark.skipif(os.name == "nt", reason="bash there is another system's")
# What a reader replaces: a name or a sentence in angle brackets.
BLANK = re.compile(r"<[^<>\n]+>")


def commands() -> Iterator[tuple[str, str]]:
    """The pages that have commands of az and azd, and each command, but for what is marked as
    bash's."""
    for page in sorted((ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.M | re.S):
            for line in [] if language else block.splitlines():
                if re.match(r"\s*(az|azd) ", line):
                    # A comment begins with # in both.
                    yield page.name, BLANK.sub("x", re.sub(r"\s+#.*$", "", line.strip()))


COMMANDS = list(dict.fromkeys(commands()))


@needs_bash
def test_bash_and_powershell_read_every_command_in_one_way() -> None:
    assert len(COMMANDS) > 30
    # One line goes on in the next by a backslash in bash, by a backtick in PowerShell.
    wrong = [f"{page}: {line}" for page, line in COMMANDS if line.endswith(("\\", "`"))]
    for page, line in COMMANDS:
        try:
            same = bash_arguments(line) == windows_powershell_arguments(line)
        except ShellError as error:
            wrong.append(f"{page}: {line}: {error}")
        else:
            if not same:
                wrong.append(f"{page}: {line}")
    assert wrong == []


@pytest.mark.skipif(not PWSH, reason="needs PowerShell (pwsh); the workflows have it")
def test_powershell_itself_reads_the_rules_commands_in_that_way() -> None:
    for page, line in COMMANDS:
        if page == "firewall.md":
            assert pwsh_arguments(line) == windows_powershell_arguments(line), line


@needs_bash
@pytest.mark.parametrize(
    ("line", "in_powershell"),
    [
        # Each was in a page once, or nearly.
        ("az x -p name=''", ["x", "-p", "name="]),
        ("""az x -p clients='["10.1.0.0/16"]'""", ["x", "-p", "clients=[10.1.0.0/16]"]),
        ("az x -p regions=eastus2,swedencentral", ["x", "-p", "regions=eastus2", "swedencentral"]),
        ("az x -p ''", ["x", "-p"]),
    ],
)
def test_what_powershell_takes_apart(line: str, in_powershell: list[str]) -> None:
    assert windows_powershell_arguments(line) == in_powershell
    if "name=" not in line:
        assert bash_arguments(line) != in_powershell


@pytest.mark.parametrize("line", ["az x <group>", 'az x "$group"', "az x; az y", "az x 'a"])
def test_what_powershell_refuses(line: str) -> None:
    with pytest.raises(ShellError):
        powershell_words(line)


def rule_commands() -> Iterator[list[str]]:
    for page, line in COMMANDS:
        if page == "firewall.md" and "deployment group create" in line:
            yield windows_powershell_arguments(line)


@needs_compiler
def test_the_rules_commands_deploy_what_the_page_says() -> None:
    declared = json.loads(template(RULE))["parameters"]
    required = {name for name, each in declared.items() if "defaultValue" not in each}
    deployed = []
    for arguments in rule_commands():
        assert arguments[:3] == ["deployment", "group", "create"]
        given = dict(
            value.split("=", 1)
            for flag, value in itertools.pairwise(arguments)
            if flag == "-p" and "=" in value
        )
        if not given:
            continue
        assert given.keys() <= declared.keys()
        assert required <= given.keys()
        for name, value in given.items():
            if declared[name]["type"] == "bool":
                assert value in ("true", "false")
            else:
                assert declared[name]["type"] == "string", f"{name} would have to be JSON"
        values = {
            name: value == "true" if declared[name]["type"] == "bool" else value
            for name, value in given.items()
        }
        group = arguments[arguments.index("-g") + 1]
        deployed.append(expand_template(template(RULE), values, group))
    alone, attached, firewall = ([each["type"] for each in made.resources] for made in deployed)
    assert alone == ["Microsoft.Network/networkSecurityGroups"]
    assert attached == [*alone, "Microsoft.Network/virtualNetworks/subnets"]
    assert firewall == ["Microsoft.Network/firewallPolicies/ruleCollectionGroups"]
    rules = deployed[2].resources[0]["properties"]["ruleCollections"]
    relays, (page, _) = rules[0]["rules"][0], rules[1]["rules"]
    assert relays["destinationAddresses"] == ["AzureCloud.eastus2", "AzureCloud.swedencentral"]
    assert relays["sourceAddresses"] == ["10.1.0.0/16", "10.2.0.0/16"]
    assert page["targetFqdns"] == ["talk.example.com", "contoso.openai.azure.com"]
    page = (ROOT / "docs" / "firewall.md").read_text(encoding="utf-8")
    [file] = re.findall(r"^using 'infra/modules/turn-rule.bicep'\n(.*?)^```", page, re.M | re.S)
    assert set(re.findall(r"^param (\w+) =", file, re.M)) <= declared.keys()


@needs_bash
def test_the_container_gets_each_setting_whole() -> None:
    """Instructions have spaces, quotation marks and several lines."""
    page = (ROOT / "docs" / "hosting.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^```bash\n(az acr build .*?)^```", page, re.M | re.S)
    settings = {
        "REALTIME_INSTRUCTIONS": 'Say "hello" to *.\n\nIt\'s $HOME=fine \\ ¿qué tal?',
        "ALLOWED_ORIGINS": "",
        "WEBSITE_NODE": "1",
        "AzureWebJobs.observe_call.Disabled": "true",
        "AzureWebJobsStorage__credential": "managedidentity",
    }
    listed = json.dumps([{"name": name, "value": value} for name, value in settings.items()])
    azure = (
        "az() { case $1 in\n"
        f"functionapp) cat <<'LISTED'\n{listed}\nLISTED\n;;\n"
        "containerapp) printf '%s\\0' \"$@\" ;;\n"
        "esac; }\n"
    )
    arguments = bash_output(azure + BLANK.sub("x", block)).split("\0")[:-1]
    given = arguments[arguments.index("--env-vars") + 1 :]
    kept = ("REALTIME_INSTRUCTIONS", "ALLOWED_ORIGINS", "AzureWebJobsStorage__credential")
    assert given == ["STOP_GRACE_SECONDS=55", *(f"{name}={settings[name]}" for name in kept)]
