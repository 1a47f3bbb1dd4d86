"""Settings that can never work are refused at start, by name, with what to write instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.config.env import ConfigurationError
from shared.config.settings import Settings
from shared.config.settings_loader import NAMES, load_settings
from shared.credentials.identity import open_identity

ROOT = Path(__file__).resolve().parents[3]
REPORTED = json.loads((ROOT / "tests/fixtures/cases/entra.json").read_text(encoding="utf-8"))
GOOD = {"REALTIME_ENDPOINT": "https://demo.openai.azure.com", "REALTIME_MODEL": "gpt-realtime"}
TENANT = "7a797836-d1e3-4249-a68d-f2cb8e4f58a5"
OTHER = "8a6b3f0e-1111-4000-8000-00000000000a"
APP = "84846a08-b110-44f0-92af-a353b2e94d30"
ENTRA = {
    "CALLER_AUTH": "entra",
    "ENTRA_TENANT_ID": TENANT,
    "ENTRA_AUDIENCE": f"api://{APP}",
    "ENTRA_REQUIRED_SCOPE": "access_as_user",
}
VAULT = {"KEY_VAULT_URI": "https://demo.vault.azure.net"}
GOV = {"REALTIME_ENDPOINT": "https://demo.openai.azure.us"}
CHINA = {"REALTIME_ENDPOINT": "https://demo.openai.azure.cn"}
BY_KEY = {"REALTIME_API_KEY": "k" * 32}


def load(*parts: dict[str, str], **env: str) -> Settings:
    given = dict(GOOD)
    for part in parts:
        given |= part
    return load_settings({**given, **env}, ROOT)


def mistakes(*parts: dict[str, str], **env: str) -> dict[str, str]:
    """What was expected, by setting."""
    with pytest.raises(ConfigurationError) as wrong:
        load(*parts, **env)
    return dict(mistake.split(": ", 1) for mistake in wrong.value.mistakes)


REFERENCE = "@Microsoft.KeyVault(SecretUri=https://demo.vault.azure.net/secrets/x/)"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "reference",
    [
        REFERENCE,
        "@Microsoft.KeyVault(VaultName=demo;SecretName=the-secret-that-is-32-bytes-or-more)",
        f'  "{REFERENCE}" ',
        "@microsoft.keyvault(SecretUri=https://x)",
    ],
)
def test_an_unresolved_reference_is_refused_as_any_setting(name: str, reference: str) -> None:
    told = mistakes({"CALLER_AUTH": "entra"}, **{name: reference})
    if name != "CALLER_AUTH" and not (name.startswith("ENTRA_")):
        told = mistakes(**{name: reference})
        assert set(told) == {name}
    assert "Key Vault reference" in told[name]
    assert "Key Vault Secrets User" in told[name]
    assert "secrets/x" not in told[name]


@pytest.mark.parametrize("name", ["AzureWebJobsStorage", "AZURE_CLIENT_ID"])
def test_the_platforms_own_settings_too(name: str) -> None:
    assert set(mistakes(**{name: REFERENCE})) == {name}
    store = "@Microsoft.AppConfiguration(Endpoint=https://x.azconfig.io; Key=y)"
    assert "App Configuration" in mistakes(**{name: store})[name]


def test_a_reference_among_several_secrets_is_found() -> None:
    assert set(mistakes(BROKER_SECRET=f"{'s' * 40},{REFERENCE}")) == {"BROKER_SECRET"}


UNFILLED = [
    *("<your-endpoint>", "<model>", "${REALTIME_MODEL}", "$(MODEL)", "#{model}#", "{{ model }}"),
    *("%MODEL%", "your-deployment-name", "YOUR_MODEL", "{model}", "xxxx", "changeme", "todo"),
    *('"gpt-realtime"', "'gpt-realtime'", "\u201cgpt-realtime\u201d", "`gpt-realtime`"),
    *("gpt realtime", "gpt\trealtime", "gpt\nrealtime"),
]


@pytest.mark.parametrize("value", UNFILLED)
@pytest.mark.parametrize("name", ["REALTIME_MODEL", "REALTIME_TRANSCRIPTION_MODEL"])
def test_a_placeholder_or_a_quoted_name_is_refused(name: str, value: str) -> None:
    assert set(mistakes(**{name: value})) == {name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REALTIME_MODEL", "  gpt-realtime-2 "),
        ("REALTIME_MODEL", "ft:gpt-realtime:org::id"),
        ("REALTIME_MODEL", "openai/gpt-realtime"),
        ("REALTIME_MODEL", "enter-voice"),
        ("REALTIME_INSTRUCTIONS", '"Be brief" is your motto. Say "hello"'),
        ("REALTIME_INSTRUCTIONS", "Say <name> and {day}, cost $(5) ${x}"),
        ("BROKER_SECRET", '"' + "s<{%$" * 8 + '"'),
        ("REALTIME_TOKEN_SCOPE", " https://cognitiveservices.azure.com/.default"),
        ("REALTIME_TOKEN_SCOPE", "https://cognitiveservices.azure.com//.default"),
        ("AZURE_CLIENT_ID", APP.upper()),
        ("KEY_VAULT_URI", "https://demo.vault.azure.net/"),
        ("OBSERVER", "EAGER"),
    ],
)
def test_what_may_be_meant_is_left_alone(name: str, value: str) -> None:
    load(**{name: value})


@pytest.mark.parametrize("value", ["${INSTRUCTIONS}", "$(Instructions)", "<instructions>"])
def test_instructions_that_nothing_filled_in_are_refused(value: str) -> None:
    assert set(mistakes(REALTIME_INSTRUCTIONS=value)) == {"REALTIME_INSTRUCTIONS"}
    secret = value.replace("nstructions", "nstructions" * 4)
    assert set(mistakes(BROKER_SECRET=secret)) == {"BROKER_SECRET"}


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        ("https://<resource>.openai.azure.com", "placeholder"),
        ("https://your-resource-name.openai.azure.com/", "placeholder"),
        ("https://{resource}.openai.azure.com", "placeholder"),
        ("https://${RESOURCE}.openai.azure.com", "placeholder"),
        ('"https://demo.openai.azure.com"', "quotation"),
        ("https://demo.openai.azure.com/openai/v1/realtime", "no path"),
        ("https://demo.openai.azure.com/openai/deployments/gpt-realtime", "no path"),
        ("https://demo.services.ai.azure.com/api/projects/demo", "no path"),
        ("https://demo.openai.azure.com?x=1", "no path"),
        ("http://demo.openai.azure.com", "http only"),
        ("wss://demo.openai.azure.com", "http only"),
        ("demo.openai.azure.com", "https://"),
        ("https://", "https://"),
        ("https://demo openai.azure.com", "https://"),
        ("https://[demo", "https://"),
        ("https://demo..openai.azure.com", "https://"),
        ("https://openai.azure.com", "https://"),
        ("https://.openai.azure.us", "https://"),
        ("https://demo.azure.openai.com", "https://"),
        ("https://demo.openai.azure.com:99999", "https://"),
        ("https://demo.openai.azure.com:port", "https://"),
        ("https://ai.azure.com", "portal"),
        ("https://oai.azure.com/", "portal"),
        ("https://portal.azure.com", "portal"),
        ("https://eastus2.api.cognitive.microsoft.com", "custom subdomain"),
    ],
)
def test_an_endpoint_that_nothing_answers_at(endpoint: str, told: str) -> None:
    found = mistakes(REALTIME_ENDPOINT=endpoint)
    assert set(found) == {"REALTIME_ENDPOINT"}
    assert told in found["REALTIME_ENDPOINT"]


def test_the_sample_of_the_settings_says_what_to_fill_in() -> None:
    sample = json.loads((ROOT / "local.settings.json.example").read_text())["Values"]
    assert set(mistakes(sample)) == {"REALTIME_ENDPOINT"}


def test_an_endpoint_of_the_other_provider() -> None:
    of_openai = {"REALTIME_ENDPOINT": "https://api.openai.com"}
    assert mistakes(of_openai) == {
        "REALTIME_PROVIDER": 'expected "openai" for this REALTIME_ENDPOINT'
    }
    assert set(mistakes({"REALTIME_ENDPOINT": "https://eu.api.openai.com"})) == {
        "REALTIME_PROVIDER"
    }
    for azure in (GOOD, GOV, CHINA):
        found = mistakes(azure, BY_KEY, REALTIME_PROVIDER="openai")
        assert found == {"REALTIME_PROVIDER": 'expected "azure" for this REALTIME_ENDPOINT'}
    load({"REALTIME_ENDPOINT": "https://gateway.example"}, BY_KEY, REALTIME_PROVIDER="openai")


@pytest.mark.parametrize(
    "key",
    ["Bearer abc", "ek_abc", "https://demo.vault.azure.net/secrets/key", "k\u00fc", "<key>", "'k'"],
)
def test_a_key_that_no_header_can_carry(key: str) -> None:
    assert set(mistakes(REALTIME_API_KEY=key)) == {"REALTIME_API_KEY"}


@pytest.mark.parametrize("name", ["REALTIME_API_KEY_SECRET", "BROKER_SECRET_NAME"])
@pytest.mark.parametrize(
    "value", ["https://demo.vault.azure.net/secrets/key", "a_b", "a/b", "x" * 128, "<name>"]
)
def test_a_secrets_name_is_a_name(name: str, value: str) -> None:
    assert set(mistakes(VAULT, **{name: value})) == {name}


@pytest.mark.parametrize(
    "uri",
    [
        *("demo", "http://demo.vault.azure.net", "https://demo.vault.azure.net/secrets/key"),
        *("https://<vault>.vault.azure.net", "https://[x", "https://a b"),
    ],
)
def test_a_vault_is_its_host_alone(uri: str) -> None:
    assert set(mistakes(KEY_VAULT_URI=uri)) == {"KEY_VAULT_URI"}


def test_an_identity_is_named_by_its_client_id() -> None:
    assert "GUID" in mistakes(AZURE_CLIENT_ID="id-broker-prod")["AZURE_CLIENT_ID"]
    load(BY_KEY, AZURE_CLIENT_ID="id-broker-prod")


@pytest.mark.parametrize("name", ["LIMIT_CALL_SECONDS", "TOKEN_SECONDS", "KEY_VAULT_TTL_SECONDS"])
@pytest.mark.parametrize("value", ["-1", "0", "1.5", "10s", "1e3", "\u00bd", "99999999", "ten"])
def test_a_length_is_whole_seconds_within_bounds(name: str, value: str) -> None:
    assert "whole number from" in mistakes(**{name: value})[name]


# ---- Clouds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "scope"),
    [
        ("https://demo.openai.azure.com", "https://ai.azure.com/.default"),
        ("https://demo.services.ai.azure.com", "https://ai.azure.com/.default"),
        ("https://demo.openai.azure.us", "https://cognitiveservices.azure.us/.default"),
        ("https://demo.cognitiveservices.azure.us", "https://cognitiveservices.azure.us/.default"),
        ("https://DEMO.OpenAI.Azure.US/openai/v1/", "https://cognitiveservices.azure.us/.default"),
        ("https://demo.openai.azure.cn", "https://cognitiveservices.azure.cn/.default"),
        ("https://gate.azure-api.us", "https://cognitiveservices.azure.us/.default"),
        ("https://gate.example", "https://ai.azure.com/.default"),
    ],
)
def test_the_scope_is_that_of_the_endpoints_cloud(endpoint: str, scope: str) -> None:
    assert load(REALTIME_ENDPOINT=endpoint).endpoint.token_scope == scope


def test_a_gateway_and_a_resources_name_are_in_the_cloud_that_is_signed_in_to() -> None:
    gov = {"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us/"}
    behind = load(gov, REALTIME_ENDPOINT="https://voice.agency.example")
    assert behind.endpoint.token_scope == "https://cognitiveservices.azure.us/.default"
    named = load(gov, REALTIME_ENDPOINT="", AZURE_RESOURCE="demo")
    assert named.endpoint.url == "https://demo.openai.azure.us"
    china = load(
        REALTIME_ENDPOINT="", AZURE_RESOURCE="d", AZURE_AUTHORITY_HOST="login.chinacloudapi.cn"
    )
    assert china.endpoint.url == "https://d.openai.azure.cn"


@pytest.mark.parametrize(
    ("endpoint", "scope", "expected"),
    [
        (GOV, "https://ai.azure.com/.default", "https://cognitiveservices.azure.us/.default"),
        (GOV, "https://cognitiveservices.azure.com/.default", "azure.us"),
        (CHINA, "https://ai.azure.com/.default", "https://cognitiveservices.azure.cn/.default"),
        (GOOD, "https://cognitiveservices.azure.us/.default", "https://ai.azure.com/.default"),
        (GOOD, "https://management.azure.com/.default", "https://ai.azure.com/.default"),
        (GOOD, "https://graph.microsoft.com/.default", "https://ai.azure.com/.default"),
        (GOOD, "https://ai.azure.com", "https://ai.azure.com/.default"),
        (GOOD, "https://<scope>/.default", "https://ai.azure.com/.default"),
        ({"REALTIME_ENDPOINT": "https://g.azure-api.us"}, "https://ai.azure.com/.default", ".us"),
    ],
)
def test_a_scope_of_another_cloud_or_service(
    endpoint: dict[str, str], scope: str, expected: str
) -> None:
    found = mistakes(endpoint, REALTIME_TOKEN_SCOPE=scope)
    assert set(found) == {"REALTIME_TOKEN_SCOPE"}
    assert expected in found["REALTIME_TOKEN_SCOPE"]


def test_a_scope_that_nothing_asks_for_is_not_looked_at() -> None:
    load(GOV, BY_KEY, REALTIME_TOKEN_SCOPE="https://ai.azure.com/.default")
    load(REALTIME_ENDPOINT="https://gate.example", REALTIME_TOKEN_SCOPE="api://gate/.default")
    load(REALTIME_ENDPOINT="https://g.azure-api.us", REALTIME_TOKEN_SCOPE="api://gate/.default")


def test_one_identity_is_of_one_cloud() -> None:
    assert "vault.usgovcloudapi.net" in mistakes(GOV, VAULT)["KEY_VAULT_URI"]
    load(GOV, KEY_VAULT_URI="https://demo.vault.usgovcloudapi.net")
    load(GOV, VAULT, BY_KEY)
    public = {"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com"}
    assert "login.microsoftonline.us" in mistakes(GOV, public)["AZURE_AUTHORITY_HOST"]
    load(GOV, public, IDENTITY_ENDPOINT="http://169.254.1.1/msi")


# ---- Sign-in -------------------------------------------------------------------------------------


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


# ---- Storage -------------------------------------------------------------------------------------

STORAGE = "AzureWebJobsStorage"
AZURE = {"WEBSITE_SITE_NAME": "app", "BROKER_SECRET": "s" * 40}
KEY = "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U="
USABLE = f"DefaultEndpointsProtocol=https;AccountName=demo;AccountKey={KEY}"


@pytest.mark.parametrize(
    "connection",
    [
        *("nonsense", "<connection string>", "https://demo.blob.core.windows.net", f'"{USABLE}"'),
        *(USABLE.replace(KEY, "***"), USABLE.replace("demo", ""), USABLE.partition(";AccountK")[0]),
        *("DefaultEndpointsProtocol=https", "SharedAccessSignature=sv=1", "${STORAGE}"),
        USABLE.replace("demo", "<account>"),
    ],
)
def test_a_connection_string_that_connects_to_nothing(connection: str) -> None:
    for at in ({}, AZURE):
        assert set(mistakes(at, **{STORAGE: connection})) == {STORAGE}


@pytest.mark.parametrize(
    "connection",
    [
        USABLE,
        f"{USABLE};EndpointSuffix=core.usgovcloudapi.net;",
        f"AccountName=devstoreaccount1;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:10000/x",
        "BlobEndpoint=https://demo.blob.core.windows.net;SharedAccessSignature=sv=1&sig=x%3D",
    ],
)
def test_a_connection_string(connection: str) -> None:
    load(AZURE, **{STORAGE: connection})


def test_the_storage_emulator_is_for_laptops() -> None:
    load(**{STORAGE: "UseDevelopmentStorage=true"})
    assert set(mistakes(AZURE, **{STORAGE: "UseDevelopmentStorage=true"})) == {STORAGE}


def uris(**changes: str) -> dict[str, str]:
    each = {kind: f"https://demo.{kind}.core.windows.net" for kind in ("blob", "queue", "table")}
    return {f"{STORAGE}__{kind}ServiceUri": uri for kind, uri in {**each, **changes}.items()}


def test_each_service_has_its_own_address() -> None:
    load(AZURE, uris())
    load(AZURE, uris(table="https://demo.z1.table.storage.azure.net/"))
    load(AZURE, {f"{STORAGE}__accountName": "demo"})
    for wrong in ("https://demo.blob.core.windows.net", "demo", "http://demo.x", "https://<x>.y"):
        assert set(mistakes(AZURE, uris(queue=wrong))) == {f"{STORAGE}__queueServiceUri"}
    missing = mistakes(AZURE, uris(table="", queue=""))
    assert set(missing) == {f"{STORAGE}__tableServiceUri", f"{STORAGE}__queueServiceUri"}
    assert set(mistakes(AZURE, {f"{STORAGE}__accountName": "https://demo.x"})) == {
        f"{STORAGE}__accountName"
    }
    load(uris(table="", queue=""))


@pytest.mark.parametrize(
    ("env", "authority"),
    [
        (GOOD, "login.microsoftonline.com"),
        (GOV, "login.microsoftonline.us"),
        (CHINA, "login.partner.microsoftonline.cn"),
        ({"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us"}, "login.microsoftonline.us"),
    ],
)
def test_a_developer_signs_in_to_the_endpoints_cloud(
    env: dict[str, str], authority: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def credential(**given: Any) -> None:
        seen.append(given["authority"].removeprefix("https://"))

    monkeypatch.setattr("azure.identity.DefaultAzureCredential", credential)
    open_identity(env)
    assert seen == [authority]
