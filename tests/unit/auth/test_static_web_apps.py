"""The principal that Static Web Apps sends: which are valid, and where they can be trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.auth.anonymous import Anonymous
from shared.auth.authenticator import Authenticator
from shared.auth.static_web_apps import StaticWebApps, principals_are_genuine
from shared.credentials.broker_secret import FixedSecret
from tests.support.principals import principal_header
from tests.unit.auth.linked import ADA, SECRET, linked, refusal

AZURE = {"WEBSITE_SITE_NAME": "func", "WEBSITE_INSTANCE_ID": "1"}
LAPTOP = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development"}
CASES = Path(__file__).resolve().parents[2] / "fixtures" / "cases" / "principals.json"
REPORTED: list[dict[str, Any]] = json.loads(CASES.read_text(encoding="utf-8"))


def without(member: str) -> dict[str, Any]:
    return {name: value for name, value in ADA.items() if name != member}


@pytest.mark.parametrize("case", REPORTED, ids=lambda case: case["source"])
def test_principals_that_were_reported_are_valid(case: dict[str, Any]) -> None:
    headers = {"x-ms-client-principal": case["header"], **case.get("also", {})}
    caller = linked(Anonymous()).authenticate(headers)
    assert caller.kind == "static-web-apps"
    assert caller.roles == {"admin", "anonymous", "authenticated"}


@pytest.mark.parametrize(
    "principal",
    [
        pytest.param(without("userDetails"), id="no details"),
        pytest.param(ADA | {"userDetails": None}, id="null details"),
        pytest.param(ADA | {"claims": [{"typ": "name", "val": "Ada"}]}, id="claims"),
        pytest.param(ADA | {"accessToken": "x", "tenant": {"id": 1}}, id="other members"),
        pytest.param(ADA | {"userDetails": "漢字"}, id="not ASCII"),
        pytest.param(ADA | {"userRoles": ["authenticated"]}, id="one role"),
        pytest.param(dict(reversed(ADA.items())), id="another order"),
        pytest.param(json.dumps(ADA, indent=2), id="with white space"),
    ],
)
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("alphabet", ["+/", "-_"])
def test_one_user_has_one_id_however_the_principal_is_encoded(
    principal: Any, padded: bool, alphabet: str
) -> None:
    usual = linked().authenticate(principal_header(ADA))
    for filling in ("", " ", "  "):
        text = principal_header(
            (json.dumps(principal) if isinstance(principal, dict) else principal) + filling
        )
        header = text["x-ms-client-principal"].translate(str.maketrans("+/", alphabet))
        header = header if padded else header.rstrip("=")
        assert linked().authenticate({"x-ms-client-principal": header}).id == usual.id


@pytest.mark.parametrize(
    "principal",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="not json"),
        pytest.param("[]", id="not an object"),
        pytest.param("null", id="null"),
        pytest.param({}, id="no members"),
        pytest.param(ADA | {"userRoles": ["anonymous"]}, id="nobody signed in"),
        pytest.param(ADA | {"userRoles": []}, id="no roles"),
        pytest.param(ADA | {"userRoles": "authenticated"}, id="roles as text"),
        pytest.param(ADA | {"userRoles": {"authenticated": 1}}, id="roles as an object"),
        pytest.param(ADA | {"userRoles": ["authenticated", 1]}, id="a role that is no text"),
        pytest.param(ADA | {"userId": ""}, id="no user id"),
        pytest.param(ADA | {"userId": None}, id="null user id"),
        pytest.param(ADA | {"userId": 7}, id="a number for a user id"),
        pytest.param(ADA | {"userId": "x" * 257}, id="a long user id"),
        pytest.param(ADA | {"identityProvider": ""}, id="no provider"),
        pytest.param(ADA | {"userDetails": 7}, id="details that are no text"),
        pytest.param(without("userId"), id="no member userId"),
        pytest.param(without("identityProvider"), id="no member identityProvider"),
        pytest.param(without("userRoles"), id="no member userRoles"),
        pytest.param(
            json.dumps(ADA)[:-1] + ', "userId": "other"}', id="a member that is there twice"
        ),
        pytest.param(
            {"auth_typ": "aad", "claims": [], "name_typ": "", "role_typ": ""}, id="Easy Auth's"
        ),
        pytest.param(ADA | {"auth_typ": "aad"}, id="of two shapes"),
        pytest.param("[" * 4000, id="deep"),
        pytest.param(ADA | {"userDetails": "x" * 9000}, id="oversize"),
    ],
)
def test_a_principal_of_another_shape_is_not_valid(principal: Any) -> None:
    assert refusal(linked(Anonymous()), principal_header(principal)).code == "invalid_credentials"


@pytest.mark.parametrize(
    "text",
    ["", "!", "a", "====", "//4=", "e30=e30=", " e30=", "e30", "e30=, e30="],
)
def test_a_header_that_is_not_one_base64_text_is_not_valid(text: str) -> None:
    refused = refusal(linked(), {"x-ms-client-principal": text})
    assert refused.code == "invalid_credentials"


def test_an_app_role_of_entra_makes_no_admin_behind_a_site() -> None:
    """The site's own roles are in `userRoles`; Entra's are a claim, if they come along at all."""
    claims = [{"typ": "roles", "val": "admin"}]
    principal = ADA | {"userRoles": ["anonymous", "authenticated"], "claims": claims}
    caller = linked(Anonymous()).authenticate(principal_header(principal))
    assert caller.roles == {"anonymous", "authenticated"}


def test_a_principal_proves_nothing_where_the_app_is_not_linked() -> None:
    refused = refusal(
        Authenticator([StaticWebApps(trusted=False)], FixedSecret([SECRET])), principal_header(ADA)
    )
    assert refused.code == "sign_in_required"
    assert "linked" in refused.detail
    either = Authenticator([StaticWebApps(trusted=False), Anonymous()], FixedSecret([SECRET]))
    assert either.authenticate(principal_header(ADA)).roles == {"anonymous"}


@pytest.mark.parametrize(
    ("env", "methods", "genuine"),
    [
        pytest.param(LAPTOP, "static-web-apps", True, id="the laptop"),
        pytest.param(LAPTOP, "static-web-apps,anonymous", True, id="the laptop, open"),
        pytest.param({}, "static-web-apps", False, id="who knows where"),
        pytest.param(LAPTOP | AZURE, "static-web-apps", False, id="Azure that claims a laptop"),
        pytest.param(LAPTOP | {"CONTAINER_APP_NAME": "a"}, "static-web-apps", False, id="aca"),
        pytest.param(AZURE, "static-web-apps", False, id="Azure, not linked"),
        pytest.param(AZURE | {"WEBSITE_AUTH_ENABLED": "True"}, "static-web-apps", True, id="auth"),
        pytest.param(
            AZURE | {"WEBSITE_AUTH_ENABLED": "False"}, "static-web-apps", False, id="auth off"
        ),
        pytest.param(AZURE | {"STATIC_WEB_APP_LINKED": "on"}, "static-web-apps", True, id="said"),
        pytest.param(
            AZURE | {"STATIC_WEB_APP_LINKED": "off"}, "static-web-apps", False, id="said not"
        ),
        pytest.param(
            AZURE | {"STATIC_WEB_APP_LINKED": "on", "WEBSITE_AUTH_ENABLED": "false"},
            "static-web-apps",
            False,
            id="said, but the platform knows better",
        ),
        pytest.param(
            AZURE | {"STATIC_WEB_APP_LINKED": "unchecked", "WEBSITE_AUTH_ENABLED": "false"},
            "static-web-apps",
            True,
            id="said, with the check turned off",
        ),
        pytest.param(
            AZURE | {"STATIC_WEB_APP_LINKED": "unchecked", "WEBSITE_AUTH_ENABLED": "true"},
            "static-web-apps,anonymous",
            False,
            id="on routes that anonymous may call",
        ),
    ],
)
def test_where_a_principal_is_trusted(env: dict[str, str], methods: str, genuine: bool) -> None:
    assert principals_are_genuine(env, methods.split(",")) is genuine
