"""Every hook as azd runs it, with the environment that azd gives it: a program, not a function.

On Linux and macOS azd runs `python3`. On Windows it prefers `py`, whose output goes to a console
that cannot show every character.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.azd import Azd, make_azd
from tests.infra.cloud import Cloud, serve_cloud

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.skipif(os.name == "nt", reason="stands in for azd by shell scripts")
S = "https://management.azure.com/subscriptions/s"
PLACE = f"{S}/providers/Microsoft.CognitiveServices/locations/eastus2"
MODEL, VERSION = "gpt-realtime-1.5", "2026-02-23"
SKU = {"name": "GlobalStandard", "usageName": "OpenAI.GlobalStandard.rt"}
ROUTES = {
    f"GET {S}/providers/": (200, {"registrationState": "Registered"}),
    f"GET {S}/providers/Microsoft.Authorization/permissions": (
        200,
        {"value": [{"actions": ["*"], "notActions": []}]},
    ),
    f"GET {PLACE}/models": (
        200,
        {"value": [{"model": {"name": MODEL, "version": VERSION, "skus": [SKU]}}]},
    ),
    f"GET {PLACE}/usages": (
        200,
        {"value": [{"name": {"value": SKU["usageName"]}, "limit": 10, "currentValue": 0}]},
    ),
    f"GET {S}/resourceGroups/": (404, None),
    "POST https://oai-x.openai.azure.com/openai/v1/realtime/client_secrets": (200, {}),
    "GET https://page.test/": (200, None),
    "POST https://func-x.test/api/token": (401, None),
    "POST https://page.test/api/token": (401, None),
    "GET https://page.test/api/health": (200, {"status": "ok"}),
    "GET https://page.test/api/health/deep": (401, None),
}
CHOSEN = {
    "AZURE_ENV_NAME": "talk",
    "AZURE_SUBSCRIPTION_ID": "s",
    "AZURE_LOCATION": "eastus2",
    "REALTIME_INSTRUCTIONS": 'Say "hello".\nThen — ask.',
    "MONTHLY_BUDGET": "50",
}
OUTPUTS = {
    "APP_PRINCIPAL_ID": "app",
    "AZURE_RESOURCE_GROUP": "rg-talk",
    "AZURE_TENANT_ID": "t",
    "MODEL_ENDPOINTS": "https://oai-x.openai.azure.com",
    "MODEL_TOKEN_SCOPE": "https://ai.azure.com/.default",
    "MODEL_USER_ID": "p",
    "REALTIME_ENDPOINT": "https://oai-x.openai.azure.com",
    "REALTIME_MODEL": MODEL,
    "SERVICE_API_URI": "https://func-x.test",
    "SERVICE_WEB_URI": "https://page.test",
    "WEB_BACKEND_LINKED": "true",
}
WINDOWS = {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with serve_cloud(tmp_path_factory.mktemp("cloud"), dict(ROUTES)) as served:
        yield served


@pytest.mark.parametrize("python", ["python3", "py"])
def test_a_deployment_from_its_first_hook_to_its_last(
    python: str, cloud: Cloud, tmp_path: Path
) -> None:
    of_system = WINDOWS if python == "py" else {"LC_ALL": "C.UTF-8"}
    azd = make_azd(tmp_path, python, cloud.process | of_system)
    azd.keep(**CHOSEN)
    before_provisioning(azd)
    before_provisioning_again(azd)
    after_provisioning(azd, cloud)
    before_the_page_is_uploaded(azd)
    after_deploying(azd, cloud)
    after_a_deployment_that_failed(azd, cloud)


def before_provisioning(azd: Azd) -> None:
    status, printed = azd.run("preprovision")
    assert (status, "Preflight: no errors found" in printed) == (0, True), printed
    assert len(bytes.fromhex(azd.stored["BROKER_SECRET"])) == 32
    assert azd.stored["BROKER_SECRET"] not in printed
    assert re.fullmatch(r"\d{4}-\d\d-01", azd.stored["BUDGET_START_DATE"])
    encoded = azd.stored["REALTIME_INSTRUCTIONS_BASE64"]
    assert base64.b64decode(encoded).decode() == CHOSEN["REALTIME_INSTRUCTIONS"]


def before_provisioning_again(azd: Azd) -> None:
    before = azd.stored
    assert azd.run("preprovision")[0] == 0
    assert azd.stored == before


def after_provisioning(azd: Azd, cloud: Cloud) -> None:
    main = (ROOT / "infra" / "main.bicep").read_text(encoding="utf-8")
    made = set(re.findall(r"^output (\w+)", main, re.MULTILINE))
    azd.keep(**{name: OUTPUTS[name] for name in made})
    assert "AZURE_PRINCIPAL_ID" not in azd.stored
    [script] = azd.hooks("postprovision")
    process = azd.start(script)
    assert process.stdout
    printed = ""
    try:
        # It then waits for a minute.
        while "waiting another 60 s" not in printed:
            line = process.stdout.readline()
            assert line, printed
            printed += line
    finally:
        process.kill()
        process.communicate()
    assert f"Roles: in effect; {MODEL} answers" in printed
    asked, body = cloud.asked[-1]
    assert asked.endswith("/client_secrets")
    assert json.loads(body)["session"]["model"] == MODEL


def before_the_page_is_uploaded(azd: Azd) -> None:
    status, printed = azd.run("predeploy", "web")
    assert status == 0, printed
    site = azd.project / "infra" / "site"
    config = json.loads((site / "staticwebapp.config.json").read_text(encoding="utf-8"))
    policy = config["globalHeaders"]["Content-Security-Policy"]
    assert "connect-src 'self' https://oai-x.openai.azure.com" in policy
    assert (site / "index.html").is_file()


def after_deploying(azd: Azd, cloud: Cloud) -> None:
    status, printed = azd.run("postdeploy")
    assert (status, "Probe: all checks passed." in printed) == (0, True), printed
    assert ("POST https://func-x.test/api/token", b"") in cloud.asked


def after_a_deployment_that_failed(azd: Azd, cloud: Cloud) -> None:
    cloud.routes["POST https://func-x.test/api/token"] = (200, None)
    try:
        status, printed = azd.run("postdeploy")
    finally:
        cloud.routes.update(ROUTES)
    assert status == 1
    assert "A FORGED PRINCIPAL WAS ACCEPTED" in printed
    assert "Traceback" not in printed


def test_whoever_is_not_signed_in_is_told_how(tmp_path: Path, cloud: Cloud) -> None:
    azd = make_azd(tmp_path, "python3", cloud.process, signed_in=False)
    azd.keep(**CHOSEN | {"BROKER_SECRET": "s", "MONTHLY_BUDGET": "0"})
    status, printed = azd.run("preprovision")
    assert (status, "Run: azd auth login" in printed) == (1, True), printed
