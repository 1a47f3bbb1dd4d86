"""Settings that can never work are refused at start, by name, with what to write instead."""

from __future__ import annotations

import json

import pytest

from shared.config.settings_loader import NAMES
from tests.support.settings_loading import BY_KEY, CHINA, GOOD, GOV, ROOT, VAULT, load, mistakes

APP = "84846a08-b110-44f0-92af-a353b2e94d30"
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


@pytest.mark.parametrize("seconds", ["1", "9"])
def test_a_day_that_is_shorter_than_any_call_is_refused(seconds: str) -> None:
    told = mistakes(LIMIT_SECONDS_PER_DAY=seconds)
    assert set(told) == {"LIMIT_SECONDS_PER_DAY"}
    assert "10 or more" in told["LIMIT_SECONDS_PER_DAY"]
    for works in ("0", "10"):
        load(LIMIT_SECONDS_PER_DAY=works)


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
