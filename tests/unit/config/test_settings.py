from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from shared.config.env import ConfigurationError
from shared.config.settings_loader import load_settings

ROOT = Path(__file__).resolve().parents[3]
GOOD = {"REALTIME_ENDPOINT": "https://demo.openai.azure.com", "REALTIME_MODEL": "gpt-realtime"}


def mistakes(**env: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as wrong:
        load_settings({**GOOD, **env}, ROOT)
    return wrong.value.mistakes


def test_two_settings_are_enough() -> None:
    chosen = load_settings(GOOD, ROOT)
    assert (chosen.endpoint.provider, chosen.endpoint.url) == (
        "azure",
        "https://demo.openai.azure.com",
    )
    assert chosen.tokens.life == timedelta(seconds=15)
    assert chosen.callers.methods == ("static-web-apps",)
    assert chosen.session.profiles == ROOT / "profiles"


def test_the_bare_resource_name_makes_the_endpoint() -> None:
    chosen = load_settings({"AZURE_RESOURCE": "demo", "REALTIME_MODEL": "m"}, ROOT)
    assert chosen.endpoint.url == "https://demo.openai.azure.com"


@pytest.mark.parametrize("tail", ["/", "/openai/v1", "/openai/v1/"])
def test_an_endpoint_may_include_the_ga_path(tail: str) -> None:
    chosen = load_settings(
        {**GOOD, "REALTIME_ENDPOINT": "https://demo.openai.azure.com" + tail}, ROOT
    )
    assert chosen.endpoint.url == "https://demo.openai.azure.com"


@pytest.mark.parametrize(
    "preview",
    [
        "https://eastus2.realtimeapi-preview.ai.azure.com/v1/realtimertc",
        "https://demo.openai.azure.com/openai/realtimeapi/sessions?api-version=2025-04-01-preview",
        "https://demo.openai.azure.com/?api-version=2025-04-01-preview",
        "https://demo.openai.azure.com/openai/realtime",
    ],
)
def test_a_preview_endpoint_is_refused_with_what_to_write_instead(preview: str) -> None:
    (mistake,) = mistakes(REALTIME_ENDPOINT=preview)
    assert mistake.startswith("REALTIME_ENDPOINT:")
    assert "preview" in mistake
    assert "https://<resource>.openai.azure.com" in mistake


@pytest.mark.parametrize(
    "endpoint",
    ["demo", "http://demo.openai.azure.com", "https://u:p@demo.example", "ftp://127.0.0.1"],
)
def test_an_endpoint_that_would_send_secrets_astray_is_refused(endpoint: str) -> None:
    (mistake,) = mistakes(REALTIME_ENDPOINT=endpoint)
    assert mistake.startswith("REALTIME_ENDPOINT:")


def test_plain_http_is_for_this_machine_alone() -> None:
    chosen = load_settings({**GOOD, "REALTIME_ENDPOINT": "http://127.0.0.1:8089"}, ROOT)
    assert chosen.endpoint.url == "http://127.0.0.1:8089"


def test_all_errors_are_reported_together_by_name_and_without_values() -> None:
    with pytest.raises(ConfigurationError) as wrong:
        load_settings(
            {
                "REALTIME_PROVIDER": "gcp",
                "TOKEN_SECONDS": "5",
                "TOKEN_ENDPOINT": "maybe",
                "CALLER_AUTH": "static-web-apps,friends",
                "BROKER_SECRET": "too-short-a-secret",
                "KEY_VAULT_URI": "http://vault",
                "REALTIME_TOKEN_SCOPE": "everything",
                "REALTIME_MODLE": "typo",
            },
            ROOT,
        )
    told = {mistake.partition(":")[0] for mistake in wrong.value.mistakes}
    assert told == {
        "REALTIME_PROVIDER",
        "REALTIME_ENDPOINT",
        "REALTIME_MODEL",
        "TOKEN_SECONDS",
        "TOKEN_ENDPOINT",
        "CALLER_AUTH",
        "BROKER_SECRET",
        "KEY_VAULT_URI",
        "REALTIME_TOKEN_SCOPE",
        "REALTIME_MODLE",
    }
    assert "too-short-a-secret" not in str(wrong.value)
    assert 'did you mean "REALTIME_MODEL"?' in str(wrong.value)


def test_openai_needs_a_key_and_has_an_endpoint() -> None:
    (mistake,) = mistakes(REALTIME_PROVIDER="openai", REALTIME_ENDPOINT="")
    assert mistake.startswith("REALTIME_API_KEY:")
    chosen = load_settings(
        {"REALTIME_PROVIDER": "openai", "REALTIME_MODEL": "m", "REALTIME_API_KEY": "sk-x"}, ROOT
    )
    assert chosen.endpoint.url == "https://api.openai.com"


def test_a_secret_of_the_vault_needs_the_vault() -> None:
    assert mistakes(REALTIME_API_KEY_SECRET="model-key")[0].startswith("KEY_VAULT_URI:")


def test_in_azure_a_broker_secret_is_required() -> None:
    (mistake,) = mistakes(WEBSITE_SITE_NAME="app", AzureWebJobsStorage__accountName="demo")
    assert mistake.startswith("BROKER_SECRET:")


def test_in_azure_limits_are_not_counted_in_memory() -> None:
    (mistake,) = mistakes(WEBSITE_SITE_NAME="app", BROKER_SECRET="s" * 32)
    assert mistake.startswith("AzureWebJobsStorage:")


def test_openai_is_told_who_calls_and_azure_only_on_request() -> None:
    openai = {"REALTIME_PROVIDER": "openai", "REALTIME_API_KEY": "k", "REALTIME_ENDPOINT": ""}
    asked = {"REALTIME_SAFETY_IDENTIFIER": "on"}
    assert load_settings({**GOOD, **openai}, ROOT).endpoint.safety_identifier
    assert not load_settings(GOOD, ROOT).endpoint.safety_identifier
    assert load_settings({**GOOD, **asked}, ROOT).endpoint.safety_identifier


def test_nothing_is_recorded_unless_somebody_decides_so() -> None:
    assert not load_settings(GOOD, ROOT).observer.recordings
    assert load_settings({**GOOD, "RECORDINGS": "on"}, ROOT).observer.recordings


def test_what_nobody_observes_cannot_be_recorded() -> None:
    (mistake,) = mistakes(RECORDINGS="on", OBSERVER="off")
    assert mistake == "RECORDINGS: expected off where OBSERVER is off: observers record calls"
    (mistake,) = mistakes(RECORDING="on")
    assert mistake.startswith("RECORDING: ")
