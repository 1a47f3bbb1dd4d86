"""The azd hooks besides preflight, with everything outside them replaced by a fake."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import azd_tools
import first_values
import probe
import pytest
import wait_for_roles
from azd_tools import MODEL_ROLES, Answer, Stop, parameters

from tests.infra.outside import Stage, answer

ROOT = Path(__file__).parent.parent.parent
MODEL = "gpt-realtime-1.5"


def test_first_values_are_made_once_and_not_as_arguments() -> None:
    stage = Stage(env={"MONTHLY_BUDGET": "50"})
    first_values.first_values(stage.outside(), datetime(2026, 11, 20, tzinfo=UTC))
    secret = stage.kept["BROKER_SECRET"]
    assert len(bytes.fromhex(secret)) == 32
    assert stage.kept["BUDGET_START_DATE"] == "2026-11-01"
    assert secret not in str(stage.commands) + str(stage.said)
    again = Stage(env={"MONTHLY_BUDGET": "50"} | stage.kept)
    first_values.first_values(again.outside())
    assert again.commands == []


@pytest.mark.parametrize(
    ("budgets", "kept"),
    [
        (answer(200, {"value": []}), {"BUDGET_START_DATE": "2026-11-01"}),
        (answer(404), {"BUDGET_START_DATE": "2026-11-01"}),
        (answer(200, {"value": [{"name": "budget-x"}]}), {}),
        (answer(403), {}),
    ],
)
def test_a_budget_that_was_deleted_starts_anew(budgets: Answer, kept: dict[str, str]) -> None:
    """`azd down` deletes the budget and keeps the date; one may not start in an earlier month."""
    env = {
        "MONTHLY_BUDGET": "50",
        "BUDGET_START_DATE": "2026-09-01",
        "BROKER_SECRET": "s",
        "AZURE_SUBSCRIPTION_ID": "s",
        "AZURE_ENV_NAME": "talk",
    }
    stage = Stage({"GET https://management.azure.com/": budgets}, env)
    first_values.first_values(stage.outside(), datetime(2026, 11, 20, tzinfo=UTC))
    assert stage.kept == kept
    assert "/resourceGroups/rg-talk/providers/Microsoft.Consumption/budgets" in stage.requests[0]


def test_instructions_with_quotation_marks_and_lines_reach_the_template() -> None:
    text = 'Say "hello".\nThen — ask: ¿qué tal?'
    stage = Stage(env={"BROKER_SECRET": "s", "REALTIME_INSTRUCTIONS": text})
    first_values.first_values(stage.outside())
    encoded = stage.kept["REALTIME_INSTRUCTIONS_BASE64"]
    assert base64.b64decode(encoded).decode() == text
    assert parameters(stage.kept)["realtimeInstructionsBase64"] == encoded
    again = Stage(env=stage.env | stage.kept)
    first_values.first_values(again.outside())
    assert again.kept == {}
    emptied = Stage(env=stage.env | stage.kept | {"REALTIME_INSTRUCTIONS": ""})
    first_values.first_values(emptied.outside())
    assert emptied.kept == {"REALTIME_INSTRUCTIONS_BASE64": ""}


IN_VAULT = "akvs://00000000-0000-0000-0000-000000000001/kv-team/broker"


@pytest.mark.parametrize("env", [{}, {"CI": "true"}])
def test_a_secret_in_a_vault_is_left_there(env: dict[str, str]) -> None:
    """`azd env set-secret` notes where it is, and azd fetches it for secure parameters."""
    stage = Stage(env=env | {"BROKER_SECRET": IN_VAULT})
    first_values.first_values(stage.outside())
    assert stage.kept == {}
    assert parameters(stage.env)["brokerSecret"] == IN_VAULT


PRIVATE = {
    "BROKER_SECRET": "s",
    "AZURE_SUBSCRIPTION_ID": "s",
    "AZURE_ENV_NAME": "talk",
    "ENABLE_VIRTUAL_NETWORK": "true",
    "ENABLE_PRIVATE_ENDPOINTS": "true",
}


@pytest.mark.parametrize(
    ("storage", "vault", "before", "kept"),
    [
        # Nothing is there yet: what is made is closed from the start.
        (None, None, "", {}),
        ("Enabled", "Enabled", "", {"CLOSE_LAST": "true"}),
        ("Disabled", "Enabled", "", {"CLOSE_LAST": "true"}),
        # The property is missing where nobody has set it.
        ("", "Disabled", "", {"CLOSE_LAST": "true"}),
        ("Disabled", "Disabled", "true", {"CLOSE_LAST": "false"}),
        ("Disabled", "Disabled", "false", {}),
    ],
)
def test_what_is_in_use_is_closed_last(
    storage: str | None, vault: str | None, before: str, kept: dict[str, str]
) -> None:
    def listed(access: str | None) -> Answer:
        if access is None:
            return answer(404)
        return answer(200, {"value": [{"properties": {"publicNetworkAccess": access or None}}]})

    group = "GET https://management.azure.com/subscriptions/s/resourceGroups/rg-talk/providers"
    stage = Stage(
        {
            f"{group}/Microsoft.Storage/storageAccounts": listed(storage),
            f"{group}/Microsoft.KeyVault/vaults": listed(vault),
        },
        PRIVATE | {"CLOSE_LAST": before},
    )
    first_values.first_values(stage.outside())
    assert stage.kept == kept


def test_what_stays_open_is_not_closed_at_all() -> None:
    stage = Stage(env=PRIVATE | {"ENABLE_PRIVATE_ENDPOINTS": "false", "CLOSE_LAST": "true"})
    first_values.first_values(stage.outside())
    assert (stage.kept, stage.requests) == ({"CLOSE_LAST": "false"}, [])


def test_a_pipeline_makes_no_secret_up() -> None:
    stage = Stage(env={"CI": "true"})
    with pytest.raises(Stop, match="BROKER_SECRET is not set"):
        first_values.first_values(stage.outside())
    assert stage.kept == {}


# What azd gives hooks: what a user has set, and the outputs. AZURE_PRINCIPAL_ID is not stored.
DEPLOYED = {
    "MODEL_USER_ID": "p",
    "APP_PRINCIPAL_ID": "app",
    "SERVICE_API_URI": "https://func-x.test",
    "SERVICE_WEB_URI": "https://page.test",
    "REALTIME_ENDPOINT": "https://oai-x.openai.azure.com",
    "REALTIME_MODEL": MODEL,
    "MODEL_TOKEN_SCOPE": "https://ai.azure.com/.default",
    "WEB_BACKEND_LINKED": "true",
}
MINT = "POST https://oai-x.openai.azure.com/openai/v1/realtime/client_secrets"


def test_roles_are_waited_for_until_the_model_gives_a_key() -> None:
    bodies: list[Any] = []

    def mint(_: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        assert headers["Authorization"] == "Bearer t"
        bodies.append(json.loads(body or b"{}"))
        return answer(200 if len(bodies) == 3 else 401)

    stage = Stage({MINT: mint}, DEPLOYED)
    wait_for_roles.wait_for_roles(stage.outside())
    assert bodies[0]["session"] == {"type": "realtime", "model": MODEL}
    assert stage.slept == [15.0, 15.0, 60.0]
    again = Stage(env=DEPLOYED | stage.kept)
    wait_for_roles.wait_for_roles(again.outside())
    assert again.slept == []


def test_roles_that_never_come_stop_with_what_to_look_at() -> None:
    stage = Stage({MINT: answer(403)}, DEPLOYED)
    with pytest.raises(Stop, match=r"still answers 403 for gpt-realtime-1\.5 after 10 min"):
        wait_for_roles.wait_for_roles(stage.outside())
    assert sum(stage.slept) == 600


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"EXISTING_AI_ACCOUNT_NAME": "mine"}, 'MODEL_ROLE "Cognitive Services Data Contributor'),
        ({"MODEL_ROLE": MODEL_ROLES[1]}, 'MODEL_ROLE "Cognitive Services User"'),
    ],
)
def test_a_role_that_may_be_too_narrow_is_said(chosen: dict[str, str], words: str) -> None:
    stage = Stage({MINT: answer(401)}, DEPLOYED | chosen)
    with pytest.raises(Stop, match=words):
        wait_for_roles.wait_for_roles(stage.outside())


@pytest.mark.parametrize(("status", "chosen"), [(403, {}), (404, {"MODEL_ROLE": MODEL_ROLES[0]})])
def test_no_other_role_is_named_where_none_would_help(status: int, chosen: dict[str, str]) -> None:
    stage = Stage({MINT: answer(status)}, DEPLOYED | chosen)
    with pytest.raises(Stop) as stopped:
        wait_for_roles.wait_for_roles(stage.outside())
    assert "MODEL_ROLE" not in str(stopped.value)


def test_another_role_is_waited_for_again() -> None:
    stage = Stage({MINT: answer(200)}, dict(DEPLOYED))
    wait_for_roles.wait_for_roles(stage.outside())
    again = Stage({MINT: answer(200)}, DEPLOYED | stage.kept | {"MODEL_ROLE": MODEL_ROLES[0]})
    wait_for_roles.wait_for_roles(again.outside())
    assert again.requests == [MINT]


def test_roles_of_another_identity_are_waited_for_again() -> None:
    """`azd down` deletes the identity and keeps what the hook has noted."""
    stage = Stage({MINT: answer(200)}, dict(DEPLOYED))
    wait_for_roles.wait_for_roles(stage.outside())
    again = Stage({MINT: answer(200)}, DEPLOYED | stage.kept | {"APP_PRINCIPAL_ID": "another"})
    wait_for_roles.wait_for_roles(again.outside())
    assert again.requests == [MINT]


def test_where_only_the_app_may_use_the_model_storage_alone_is_waited_for() -> None:
    stage = Stage(env=DEPLOYED | {"MODEL_USER_ID": ""})
    wait_for_roles.wait_for_roles(stage.outside())
    assert (stage.requests, stage.slept) == ([], [60.0])


def site(**changed: Any) -> Stage:
    """A deployment that passes every check."""
    security = {
        "Content_Security_Policy": "default-src 'self'",
        "Permissions_Policy": "microphone=(self)",
        "X_Content_Type_Options": "nosniff",
    }
    routes: dict[str, Any] = {
        "GET https://page.test/": answer(200, None, **security),
        "POST https://func-x.test/api/token": answer(401),
        "POST https://page.test/api/token": answer(401),
        "GET https://page.test/api/health": answer(200, {"status": "ok"}),
        "GET https://page.test/api/health/deep": answer(401),
    }
    return Stage(routes | changed, dict(DEPLOYED))


def test_a_good_deployment_passes_the_probe() -> None:
    stage = site()
    probe.probe(stage.outside())
    assert stage.said[-1] == "Probe: all checks passed. The page: https://page.test"


def test_the_page_of_a_site_that_was_there_before_is_not_judged() -> None:
    """Its API is: that is the broker's."""
    stage = site(**{"GET https://page.test/": answer(200)})
    stage.env["EXISTING_STATIC_WEB_APP_NAME"] = "shop"
    probe.probe(stage.outside())
    assert "GET https://page.test/" not in stage.requests
    assert "GET https://page.test/api/health" in stage.requests


def test_the_probe_of_an_app_without_a_site_asks_the_app_alone() -> None:
    app = "https://func-x.test"
    said = {"status": "ok", "checks": [], "warnings": ["The model x retires on 2027-01-20."]}
    stage = Stage(
        {
            f"POST {app}/api/token": answer(401),
            f"GET {app}/api/health": answer(200, {"status": "ok"}),
            f"GET {app}/api/health/deep": answer(200, said),
        },
        DEPLOYED | {"SERVICE_WEB_URI": "", "WEB_BACKEND_LINKED": "false", "CALLER_AUTH": "entra"},
    )
    probe.probe(stage.outside())
    assert stage.said[-1] == f"Probe: all checks passed. The app: {app}"
    assert "Probe: warning: The model x retires on 2027-01-20." in stage.said
    assert not any("page.test" in request for request in stage.requests)


def test_the_forged_principal_is_one_that_would_be_believed() -> None:
    from shared.auth.static_web_apps import decode_principal

    sent: list[str] = []

    def token(_: str, headers: Mapping[str, str], __: bytes | None) -> Answer:
        sent.append(headers["X-MS-CLIENT-PRINCIPAL"])
        return answer(403)

    probe.probe(site(**{"POST https://func-x.test/api/token": token}).outside())
    assert decode_principal(sent[0]) == probe.FORGED
    assert json.loads(base64.b64decode(sent[0]))["userRoles"][-1] == "admin"


@pytest.mark.parametrize("status", [200, 201, 400, 429])
def test_a_forged_principal_that_is_believed_stops(status: int) -> None:
    with pytest.raises(Stop, match="A FORGED PRINCIPAL WAS ACCEPTED"):
        probe.probe(site(**{"POST https://func-x.test/api/token": answer(status)}).outside())


def test_an_app_that_is_starting_is_waited_for() -> None:
    starting = [answer(404), answer(503), answer(401)]
    stage = site(**{"POST https://func-x.test/api/token": starting})
    probe.probe(stage.outside())
    assert stage.slept == [10.0, 10.0]


@pytest.mark.parametrize(
    ("route", "given", "words"),
    [
        ("POST https://func-x.test/api/token", answer(0), "does not answer"),
        ("POST https://page.test/api/token", answer(302), "redirects anonymous requests"),
        ("POST https://page.test/api/token", answer(200), "answers anonymous requests with 200"),
        ("GET https://page.test/", answer(200), "is served without Content-Security-Policy"),
        ("GET https://page.test/", answer(404), "the page at https://page.test answers 404"),
        (
            "GET https://page.test/api/health",
            answer(503, {"hint": "Set REALTIME_MODEL."}),
            "503: Set REALTIME_MODEL.",
        ),
        ("GET https://page.test/api/health/deep", answer(503, {"x": "role"}), '"x": "role"'),
    ],
)
def test_what_does_not_hold_stops(route: str, given: Answer, words: str) -> None:
    with pytest.raises(Stop) as stopped:
        probe.probe(site(**{route: given}).outside())
    assert words in str(stopped.value)


def test_parameters_are_read_as_azd_fills_them_in() -> None:
    found = parameters({"MODEL_CAPACITY": "3", "CALLER_AUTH": ""})
    assert found["modelCapacity"] == "3"
    assert found["callerAuth"] == "static-web-apps"
    assert found["tokenSeconds"] == "15"


def test_a_hook_that_stops_says_why_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def hook(_: azd_tools.Outside) -> None:
        raise Stop("Run: azd auth login")

    assert azd_tools.main(hook) == 1
    assert capsys.readouterr().err == "\nRun: azd auth login\n"


def test_the_hooks_need_nothing_but_the_standard_library() -> None:
    """Nor do the modules of the app that they use, and the packages that those are in."""
    import ast
    import sys

    hooks = ROOT / "infra" / "hooks"
    own = {path.stem for path in hooks.glob("*.py")}
    used = {ROOT / "shared/__init__.py", ROOT / "shared/config/__init__.py"}
    used.add(ROOT / "shared/config/retirements.py")
    for path in [*hooks.glob("*.py"), *used]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                if ROOT / f"{name.replace('.', '/')}.py" in used:
                    continue
                top = name.partition(".")[0]
                assert top in sys.stdlib_module_names | own, (path.name, name)
