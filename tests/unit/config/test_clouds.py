"""Endpoint, scope, vault and sign-in of one cloud belong together."""

from __future__ import annotations

from typing import Any

import pytest

from shared.credentials.identity import open_identity
from tests.support.settings_loading import BY_KEY, CHINA, GOOD, GOV, VAULT, load, mistakes


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
