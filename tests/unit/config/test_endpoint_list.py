"""REALTIME_ENDPOINTS: several endpoints behind one broker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.config.env import ConfigurationError
from shared.config.profiles import load_profiles
from shared.config.settings import Settings
from tests.support.settings_loading import VAULT
from tests.support.settings_loading import load as load_settings
from tests.support.settings_loading import mistakes as mistakes_of

SWEDEN = {"name": "sweden", "endpoint": "https://sweden.openai.azure.com"}
FRANCE = {"name": "france", "endpoint": "https://france.openai.azure.com"}
OPENAI = {"name": "openai", "provider": "openai", "key_secret": "openai-key"}
ALONE = {"REALTIME_ENDPOINT": ""}
"""Without what `load` sets by default."""


def load(*elements: dict[str, Any], **env: str) -> Settings:
    listed = json.dumps(elements)
    return load_settings(ALONE, VAULT, **{"REALTIME_ENDPOINTS": listed, **env})


def mistakes(*elements: Any, **env: str) -> dict[str, str]:
    return mistakes_of(ALONE, VAULT, **{"REALTIME_ENDPOINTS": json.dumps(elements), **env})


def test_without_a_list_the_only_endpoint_is_the_default_one() -> None:
    settings = load_settings()
    assert settings.endpoints == (settings.endpoint,)
    assert (settings.endpoint.name, settings.endpoint.models, settings.endpoint.weight) == (
        "default",
        None,
        1.0,
    )
    assert load_settings(REALTIME_ENDPOINTS=" ").endpoint.name == "default"


def test_a_list_may_mix_providers_regions_and_deployments() -> None:
    models = {"gpt-realtime": "realtime-fr"}
    france = {**FRANCE, "region": "francecentral", "models": models, "weight": 2.5}
    settings = load(SWEDEN, france, OPENAI)
    first, second, third = settings.endpoints
    assert (first.name, first.url, first.provider) == ("sweden", SWEDEN["endpoint"], "azure")
    assert first.needs_identity
    assert (second.region, second.models, second.weight) == ("francecentral", models, 2.5)
    assert (third.url, third.key_secret) == ("https://api.openai.com", "openai-key")
    assert not third.needs_identity
    assert (first.safety_identifier, third.safety_identifier) == (False, True)
    assert settings.providers == ("azure", "openai")


def test_the_default_is_the_first_or_the_one_that_was_alone() -> None:
    assert load(SWEDEN, FRANCE).endpoint.name == "sweden"
    alone = {"REALTIME_ENDPOINT": FRANCE["endpoint"] + "/openai/v1"}
    assert [each.name for each in load(SWEDEN, FRANCE, **alone).endpoints] == ["france", "sweden"]
    named = {**SWEDEN, "name": "default"}
    assert load(FRANCE, named).endpoint.url == SWEDEN["endpoint"]
    assert "calls default" in mistakes(FRANCE, named, **alone)["REALTIME_ENDPOINT"]


def test_what_is_said_of_one_endpoint_is_about_the_one_at_that_address() -> None:
    settings = load(
        SWEDEN,
        FRANCE,
        REALTIME_ENDPOINT=FRANCE["endpoint"],
        REALTIME_API_KEY="the-key-of-france",
        REALTIME_TOKEN_SCOPE="https://cognitiveservices.azure.com/.default",
        REALTIME_GATEWAY_HEADER="X-Gateway",
        REALTIME_GATEWAY_KEY="secret",
    )
    france, sweden = settings.endpoints
    assert (france.key, sweden.key) == ("the-key-of-france", None)
    assert france.token_scope == "https://cognitiveservices.azure.com/.default"
    assert sweden.token_scope == "https://ai.azure.com/.default"
    assert france.gateway is not None
    assert sweden.gateway is None


def test_a_key_beside_a_list_alone_is_for_all_of_its_provider_without_one() -> None:
    own = {**FRANCE, "key_secret": "france"}
    settings = load(SWEDEN, own, OPENAI, REALTIME_API_KEY="a-common-key")
    assert [(each.key, each.key_secret) for each in settings.endpoints] == [
        ("a-common-key", None),
        (None, "france"),
        (None, "openai-key"),
    ]


@pytest.mark.parametrize("name", ["REALTIME_API_KEY", "REALTIME_API_KEY_SECRET"])
def test_a_key_is_sent_to_no_other_host(name: str) -> None:
    proxy = {"name": "proxy", "provider": "openai", "endpoint": "https://llm.example.com"}
    openai = {"name": "openai", "provider": "openai"}
    key = {name: "the-key", "REALTIME_PROVIDER": "openai"}
    assert "for which of REALTIME_ENDPOINTS" in mistakes(openai, proxy, **key)[name]
    assert load(openai, {**openai, "name": "second"}, **key)


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ({"name": "Sweden"}, "[0].name: expected lower-case letters, digits, -"),
        ({"name": "s" * 33}, "[0].name: expected"),
        ({"name": None}, "[0].name: expected"),
        ({"provider": "gcp"}, 'sweden.provider: expected "azure" or "openai"'),
        ({"endpoint": "sweden"}, "sweden.endpoint: expected https://<resource>"),
        ({"endpoint": "https://sweden.openai.azure.com?api-version=1"}, "not a preview one"),
        ({"endpoint": "https://api.openai.com"}, 'sweden.provider: expected "openai"'),
        ({"endpoint": "http://sweden.example"}, "sweden.endpoint: expected"),
        ({"region": "Sweden Central"}, "sweden.region: expected a region's name"),
        ({"models": {}}, "sweden.models: expected models with their deployments"),
        ({"models": ["gpt-realtime"]}, "sweden.models: expected models with their deployments"),
        ({"models": {"gpt-realtime": 1}}, "sweden.models: expected models"),
        ({"weight": -1}, "sweden.weight: expected a number from 0 to 1000"),
        ({"weight": True}, "sweden.weight: expected a number"),
        ({"weight": "2"}, "sweden.weight: expected a number"),
        ({"weight": 0}, "a weight above 0"),
        ({"key_secret": "https://demo.vault.azure.net/secrets/x"}, "sweden.key_secret: expected"),
        ({"token_scope": "ai.azure.com"}, "sweden.token_scope: expected an Entra scope"),
        ({"wieght": 2}, 'there is no such field, did you mean "weight"?'),
        ({"endpoint": "https://swedencentral.api.cognitive.microsoft.com"}, "sweden.endpoint"),
        ({"token_scope": "https://cognitiveservices.azure.us/.default"}, "sweden.token_scope"),
        ({"provider": "openai", "endpoint": "https://eu.api.openai.com"}, "sweden.key_secret"),
    ],
)
def test_a_mistake_names_its_endpoint_and_field(element: dict[str, Any], expected: str) -> None:
    found = mistakes({**SWEDEN, **element})
    assert list(found) == ["REALTIME_ENDPOINTS"]
    assert expected in found["REALTIME_ENDPOINTS"]


@pytest.mark.parametrize("value", ["sweden", "{}", "[]", "[1]", '"[]"', "[" * 5000])
def test_what_is_no_list_of_endpoints_is_refused_without_its_text(value: str) -> None:
    found = mistakes_of(ALONE, REALTIME_ENDPOINTS=value)
    assert list(found) == ["REALTIME_ENDPOINTS"]
    assert "expected" in found["REALTIME_ENDPOINTS"]


def test_a_profile_whose_model_is_nowhere_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "default.json").write_text('{"session": {"type": "realtime"}}')
    (tmp_path / "other.json").write_text('{"session": {"type": "realtime", "model": "other"}}')
    folder = {"REALTIME_PROFILES": str(tmp_path)}
    here = {**SWEDEN, "models": {"gpt-realtime": "deployed"}}
    there = {**FRANCE, "models": {"other": "deployed"}}
    load_profiles(load(here, there, **folder))
    assert "model at no endpoint" not in caplog.text
    load_profiles(load(here, {**there, "weight": 0}, **folder))
    (told,) = [each for each in caplog.messages if each.startswith("model at no endpoint")]
    assert '"profile": "other", "model": "other"' in told
    with pytest.raises(ConfigurationError) as wrong:
        load_profiles(load(there, **folder))
    (mistake,) = wrong.value.mistakes
    assert "/default.json: session.model: expected one of" in mistake


def test_endpoints_are_checked_together() -> None:
    assert "sweden: the name of one" in mistakes(SWEDEN, SWEDEN)["REALTIME_ENDPOINTS"]
    abroad = {"name": "usgov", "endpoint": "https://demo.openai.azure.us"}
    assert "endpoints of one cloud" in mistakes(SWEDEN, abroad)["REALTIME_ENDPOINTS"]
    other = mistakes(SWEDEN, REALTIME_ENDPOINT="https://other.openai.azure.com")
    assert other == {
        "REALTIME_ENDPOINT": "expected nothing, or the endpoint of one of REALTIME_ENDPOINTS"
    }
    gateway = mistakes(SWEDEN, REALTIME_GATEWAY_HEADER="X-Gateway")
    assert "which says for which" in gateway["REALTIME_GATEWAY_HEADER"]
    no_vault = mistakes_of(ALONE, REALTIME_ENDPOINTS=json.dumps([OPENAI]))
    assert "KEY_VAULT_URI" in no_vault
