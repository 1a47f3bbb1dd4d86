"""The settings of callers' Entra tokens: tenants, audiences, scope, issuers and their keys."""

from __future__ import annotations

import json

import pytest

from tests.support.settings_loading import CHINA, GOV, ROOT, load, mistakes

REPORTED = json.loads((ROOT / "tests/fixtures/cases/entra.json").read_text(encoding="utf-8"))
TENANT = "7a797836-d1e3-4249-a68d-f2cb8e4f58a5"
OTHER = "8a6b3f0e-1111-4000-8000-00000000000a"
APP = "84846a08-b110-44f0-92af-a353b2e94d30"
ENTRA = {
    "CALLER_AUTH": "entra",
    "ENTRA_TENANT_ID": TENANT,
    "ENTRA_AUDIENCE": f"api://{APP}",
    "ENTRA_REQUIRED_SCOPE": "access_as_user",
}


@pytest.mark.parametrize(
    "tenant",
    [
        *REPORTED["ENTRA_TENANT_ID"],
        *("organizations", "consumers", "Common", "contoso.com", "nonsense", "<tenant-id>", "*"),
        *(f"{{{TENANT}}}", f'"{TENANT}"', TENANT[:-1], f"{TENANT}0", TENANT.replace("-", "")),
        *("00000000-0000-0000-0000-000000000000", f"{TENANT},common", f"{TENANT};{OTHER}"),
        *(f"https://login.microsoftonline.com/{TENANT}", f"https://sts.windows.net/{TENANT}/"),
    ],
)
def test_a_tenant_is_an_id(tenant: str) -> None:
    assert set(mistakes(ENTRA, ENTRA_TENANT_ID=tenant)) == {"ENTRA_TENANT_ID"}


@pytest.mark.parametrize(
    "scope",
    [
        *REPORTED["ENTRA_REQUIRED_SCOPE"],
        *("https://contoso.onmicrosoft.com/app/call", f"api://{APP}/.default", ".default"),
        *("/.default", "call admin", "call,admin", f"{APP}/call", "openid", "<scope>", "'call'"),
        *("offline_access", "/call", "${SCOPE}"),
    ],
)
def test_a_scope_is_one_bare_name(scope: str) -> None:
    assert set(mistakes(ENTRA, ENTRA_REQUIRED_SCOPE=scope)) == {"ENTRA_REQUIRED_SCOPE"}


@pytest.mark.parametrize("scope", ["call", "Calls.Start", "access_as_user", "calls:start", "a/b"])
def test_a_scopes_bare_name(scope: str) -> None:
    entra = load(ENTRA, ENTRA_REQUIRED_SCOPE=scope).callers.entra
    assert entra is not None
    assert entra.scope == scope


@pytest.mark.parametrize(
    "audience",
    [
        *(f"api://{APP}/access_as_user", f"{APP}/call", f"api://{APP}/.default", "api://", "<id>"),
        *("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000", "a b", f'"{APP}"'),
        *("https://", "api:///call", "your-application-id", "https://graph.microsoft.com/"),
    ],
)
def test_an_audience_that_no_token_for_the_broker_has(audience: str) -> None:
    assert set(mistakes(ENTRA, ENTRA_AUDIENCE=audience)) == {"ENTRA_AUDIENCE"}


@pytest.mark.parametrize(
    ("audience", "read"),
    [
        (APP, (APP,)),
        (f"api://{APP.upper()}", (f"api://{APP}",)),
        ("https://contoso.onmicrosoft.com/app", ("https://contoso.onmicrosoft.com/app",)),
        (f"https://contoso.example/app, {APP}", ("https://contoso.example/app", APP)),
        (f"api://pages.example/{APP}", (f"api://pages.example/{APP}",)),
        ("api://Voice-Broker", ("api://Voice-Broker",)),
    ],
)
def test_an_audience_is_an_id_or_a_uri_or_several(audience: str, read: tuple[str, ...]) -> None:
    entra = load(ENTRA, ENTRA_AUDIENCE=audience).callers.entra
    assert entra is not None
    assert entra.audiences == read


def test_everything_that_entra_needs_is_asked_for_at_once() -> None:
    found = mistakes(CALLER_AUTH="static-web-apps,entra")
    assert set(found) == {"ENTRA_TENANT_ID", "ENTRA_AUDIENCE", "ENTRA_REQUIRED_SCOPE"}
    load(ENTRA, CALLER_AUTH="anonymous", ENTRA_TENANT_ID="common")


def issuers(*parts: dict[str, str], **env: str) -> dict[str, str]:
    """Where the keys of each issuer are."""
    entra = load(ENTRA, *parts, **env).callers.entra
    assert entra is not None
    return {issuer.name: issuer.keys_url for issuer in entra.issuers}


def test_a_tenant_has_two_issuers_and_capitals_do_not_matter() -> None:
    keys = f"https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys"
    assert issuers(ENTRA_TENANT_ID=f" {TENANT.upper()} ") == {
        f"https://login.microsoftonline.com/{TENANT}/v2.0": keys,
        f"https://sts.windows.net/{TENANT}/": keys,
    }
    assert len(issuers(ENTRA_TENANT_ID=f"{TENANT}, {OTHER},{TENANT}")) == 4


@pytest.mark.parametrize(
    ("cloud", "authority", "v1"),
    [
        (GOV, "login.microsoftonline.us", "sts.windows.net"),
        (CHINA, "login.partner.microsoftonline.cn", "sts.chinacloudapi.cn"),
        (
            {"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us"}
            | {"REALTIME_ENDPOINT": "https://gate.example"},
            "login.microsoftonline.us",
            "sts.windows.net",
        ),
    ],
)
def test_a_tenant_of_another_cloud_signs_in_there(
    cloud: dict[str, str], authority: str, v1: str
) -> None:
    keys = f"https://{authority}/{TENANT}/discovery/v2.0/keys"
    assert issuers(cloud) == {
        f"https://{authority}/{TENANT}/v2.0": keys,
        f"https://{v1}/{TENANT}/": keys,
    }


B2C = f"https://contoso.b2clogin.com/{TENANT}/v2.0/"
B2C_KEYS = "https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_SiUpIn/discovery/v2.0/keys"
EXTERNAL = f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0"


@pytest.mark.parametrize(
    ("issuer", "keys_url", "keys"),
    [
        (B2C, B2C_KEYS, B2C_KEYS),
        (
            f"https://contoso.b2clogin.com/tfp/{TENANT}/b2c_1_siupin/v2.0/",
            "",
            f"https://contoso.b2clogin.com/{TENANT}/b2c_1_siupin/discovery/v2.0/keys",
        ),
        (EXTERNAL, "", f"https://{TENANT}.ciamlogin.com/{TENANT}/discovery/v2.0/keys"),
        ("https://login.contoso.com/x/v2.0", "https://login.contoso.com/keys", None),
        (f"https://sts.windows.net/{TENANT}/", "", None),
        (f"https://login.microsoftonline.com/{TENANT}/v2.0", "", None),
    ],
)
def test_an_issuer_of_ones_own_and_where_its_keys_are(
    issuer: str, keys_url: str, keys: str | None
) -> None:
    usual = f"https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys"
    for tenant in ("", TENANT):
        found = issuers(ENTRA_TENANT_ID=tenant, ENTRA_ISSUER=issuer, ENTRA_KEYS_URL=keys_url)
        assert found == {issuer: keys or keys_url or usual}


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ({"ENTRA_ISSUER": B2C}, "ENTRA_KEYS_URL"),
        ({"ENTRA_ISSUER": "https://login.contoso.com/v2.0"}, "ENTRA_KEYS_URL"),
        ({"ENTRA_ISSUER": "https://login.microsoftonline.com/common/v2.0"}, "ENTRA_ISSUER"),
        ({"ENTRA_ISSUER": "https://login.microsoftonline.com/{tenantid}/v2.0"}, "ENTRA_ISSUER"),
        ({"ENTRA_ISSUER": "https://contoso.ciamlogin.com/contoso/v2.0"}, "ENTRA_ISSUER"),
        ({"ENTRA_ISSUER": f"http://login.microsoftonline.com/{TENANT}/v2.0"}, "ENTRA_ISSUER"),
        ({"ENTRA_ISSUER": f"{EXTERNAL}/.well-known/openid-configuration"}, "ENTRA_ISSUER"),
        ({"ENTRA_ISSUER": EXTERNAL.replace(TENANT, OTHER)}, "ENTRA_ISSUER"),
        ({"ENTRA_ISSUER": f"https://sts.windows.net/{OTHER}/"}, "ENTRA_ISSUER"),
        ({"ENTRA_ISSUER": "contoso"}, "ENTRA_ISSUER"),
        ({"ENTRA_KEYS_URL": "https://login.microsoftonline.com"}, "ENTRA_KEYS_URL"),
        ({"ENTRA_KEYS_URL": f"{EXTERNAL}/.well-known/openid-configuration"}, "ENTRA_KEYS_URL"),
        ({"ENTRA_KEYS_URL": "http://keys.example/keys"}, "ENTRA_KEYS_URL"),
        (
            {
                "ENTRA_ISSUER": f"https://login.microsoftonline.com/{TENANT}/v2.0",
                "ENTRA_KEYS_URL": f"https://login.microsoftonline.us/{TENANT}/discovery/v2.0/keys",
            },
            "ENTRA_KEYS_URL",
        ),
        ({"ENTRA_APP_KEYS": "on", "ENTRA_KEYS_URL": "https://k.example/keys"}, "ENTRA_APP_KEYS"),
        ({"ENTRA_APP_KEYS": "on", "ENTRA_AUDIENCE": "api://voice"}, "ENTRA_AUDIENCE"),
        ({"ENTRA_APP_KEYS": "maybe"}, "ENTRA_APP_KEYS"),
    ],
)
def test_an_issuer_or_keys_that_do_not_belong_together(env: dict[str, str], name: str) -> None:
    assert set(mistakes(ENTRA, env)) == {name}


def test_an_apps_own_signing_keys_are_asked_for_by_its_id() -> None:
    for audience in (APP, f"api://{APP}", f"https://contoso.example/app,{APP}"):
        found = issuers(ENTRA_APP_KEYS="on", ENTRA_AUDIENCE=audience)
        keys = f"https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys?appid={APP}"
        assert set(found.values()) == {keys}


def test_keys_for_every_issuer_can_be_elsewhere() -> None:
    there = "https://keys.example/keys?appid=1"
    assert set(issuers(ENTRA_KEYS_URL=there).values()) == {there}
