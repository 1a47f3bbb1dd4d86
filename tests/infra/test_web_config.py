"""The page's configuration, generated for a deployment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import web_config
from azd_tools import Stop

from local.gateway.config_parser import read_site_config
from tests.infra.outside import Stage

ROOT = Path(__file__).parent.parent.parent
FRONTEND = ROOT / "frontend"
PATTERN: dict[str, Any] = json.loads(
    (FRONTEND / web_config.CONFIG_FILE).read_text(encoding="utf-8")
)
ENV = {
    "REALTIME_ENDPOINT": "https://oai-x.openai.azure.com/",
    "SERVICE_API_URI": "https://func-x.azurewebsites.net",
    "AZURE_TENANT_ID": "t",
}


def connects(**env: str) -> str:
    policy = web_config.make_site_config(PATTERN, ENV | env)["globalHeaders"][web_config.CSP]
    [found] = [part.strip() for part in policy.split(";") if part.strip().startswith("connect-src")]
    return str(found)


def roles(path: str, **env: str) -> list[str]:
    [route] = [
        each
        for each in web_config.make_site_config(PATTERN, ENV | env)["routes"]
        if each["route"] == path
    ]
    return [*route["allowedRoles"]]


def test_the_page_may_connect_to_exactly_what_it_uses() -> None:
    assert connects() == "connect-src 'self' https://oai-x.openai.azure.com"
    assert connects(TOKEN_ENDPOINT="off") == "connect-src 'self'"
    assert connects(TOKEN_ENDPOINT="off", WEB_BACKEND_LINKED="false") == (
        "connect-src 'self' https://func-x.azurewebsites.net"
    )


def test_a_sign_in_without_a_tenant_stops() -> None:
    env = {name: value for name, value in ENV.items() if name != "AZURE_TENANT_ID"}
    with pytest.raises(Stop, match="SIGN_IN_TENANT_ID"):
        web_config.make_site_config(PATTERN, env | {"SIGN_IN_CLIENT_ID": "c"})


def test_everything_else_of_the_policy_stays() -> None:
    before, after = (
        {part.split()[0]: part for part in policy.split("; ")}
        for policy in (
            PATTERN["globalHeaders"][web_config.CSP],
            web_config.make_site_config(PATTERN, ENV)["globalHeaders"][web_config.CSP],
        )
    )
    del before["connect-src"], after["connect-src"]
    assert before == after


@pytest.mark.parametrize(
    ("env", "wanted"),
    [
        ({}, ["authenticated"]),
        ({"CALLER_AUTH": "static-web-apps,entra"}, ["authenticated"]),
        ({"CALLER_AUTH": "entra"}, ["anonymous"]),
        ({"CALLER_AUTH": "static-web-apps, anonymous"}, ["anonymous"]),
        ({"WEB_CALLER_ROLES": "caller, guest"}, ["caller", "guest", "admin"]),
    ],
)
def test_the_roles_follow_from_who_may_call(env: dict[str, str], wanted: list[str]) -> None:
    for path in ("/api/token", "/api/connect", "/api/calls/*", "/api/*", "/connect"):
        assert roles(path, **env) == wanted
    assert roles("/api/health", **env) == ["anonymous"]


def test_no_override_sends_a_fetch_to_a_login_page() -> None:
    for env in ({}, {"SIGN_IN_CLIENT_ID": "c"}):
        assert "401" not in web_config.make_site_config(PATTERN, ENV | env).get(
            "responseOverrides", {}
        )


def test_sign_in_of_one_tenant() -> None:
    found = web_config.make_site_config(PATTERN, ENV | {"SIGN_IN_CLIENT_ID": "c"})["auth"]
    registration = found["identityProviders"]["azureActiveDirectory"]["registration"]
    assert registration["openIdIssuer"] == "https://login.microsoftonline.com/t/v2.0"
    web = (ROOT / "infra" / "modules" / "web.bicep").read_text(encoding="utf-8")
    for name in ("clientIdSettingName", "clientSecretSettingName"):
        assert f"{registration[name]}: " in web
    assert "auth" not in web_config.make_site_config(PATTERN, ENV)


def test_the_folder_is_filled_anew_and_the_pattern_left_alone(tmp_path: Path) -> None:
    before = (FRONTEND / web_config.CONFIG_FILE).read_bytes()
    (tmp_path / "robots.txt").write_text("kept")
    (tmp_path / "old.js").write_text("gone")
    (tmp_path / "folder").mkdir()
    web_config.web_config(Stage(env=ENV).outside(), FRONTEND, tmp_path)
    there = {path.name for path in tmp_path.iterdir()}
    unserved = {"jsconfig.json", "package.json", "README.md", "LICENSE", "types"}
    unserved |= {"element.d.ts", "types.d.ts"}
    assert there == {path.name for path in FRONTEND.iterdir()} - unserved | {"robots.txt"}
    assert (tmp_path / "index.html").read_bytes() == (FRONTEND / "index.html").read_bytes()
    assert (FRONTEND / web_config.CONFIG_FILE).read_bytes() == before


def test_what_is_made_is_what_static_web_apps_takes(tmp_path: Path) -> None:
    for env in ({}, {"CALLER_AUTH": "entra"}, {"SIGN_IN_CLIENT_ID": "c", "WEB_CALLER_ROLES": "r"}):
        web_config.web_config(Stage(env=ENV | env).outside(), FRONTEND, tmp_path)
        assert read_site_config(tmp_path / web_config.CONFIG_FILE).rules
        assert (tmp_path / web_config.CONFIG_FILE).stat().st_size < 20 * 1024


def test_without_a_deployment_there_is_nothing_to_make(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="azd provision"):
        web_config.web_config(Stage().outside(), FRONTEND, tmp_path)
