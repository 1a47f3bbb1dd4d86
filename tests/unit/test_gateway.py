"""A gateway in front of the model: what is sent to it, and where."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.config.env import ConfigurationError
from shared.config.profiles import Profile
from shared.config.settings import Settings
from shared.config.settings_loader import load_settings
from shared.core.clock import utc_now
from shared.core.deadline import Deadline
from shared.core.problems import Problem
from shared.credentials.credentials import open_credentials
from shared.realtime.client import RealtimeClient
from shared.realtime.ephemeral_keys import EphemeralKey
from shared.realtime.model_endpoint import ModelEndpoint, open_model_endpoint
from shared.sideband.connector import SidebandConnector
from shared.sideband.sideband import SidebandUnavailable
from tests.support.scripted_endpoint import Said, Upstream, answer_reply, key_reply, upstream
from tests.support.vaults import FixedVault

ROOT = Path(__file__).resolve().parents[2]
GATEWAY = "https://gw.contoso.example"
GOOD = {"REALTIME_ENDPOINT": GATEWAY, "REALTIME_MODEL": "m"}
HEADER = {
    "REALTIME_GATEWAY_HEADER": "Ocp-Apim-Subscription-Key",
    "REALTIME_GATEWAY_KEY": "gateway-key",
}
INSTEAD = {"REALTIME_GATEWAY_AUTH": "instead"}
OPENAI = {"REALTIME_PROVIDER": "openai"}
PROFILE = Profile("default", {"type": "realtime", "model": "m"})
KEY = EphemeralKey("ek_given", datetime(2030, 1, 1, tzinfo=UTC))
SOON = timedelta(seconds=5)
CALL = "rtc_1"


def settings(**env: str) -> Settings:
    return load_settings({**GOOD, **env}, ROOT)


def mistakes(**env: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as wrong:
        settings(**env)
    return wrong.value.mistakes


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/voice", "/voice"),
        ("/voice/", "/voice"),
        ("/voice/openai", "/voice"),
        ("/voice/openai/v1", "/voice"),
        ("/voice/openai/v1/", "/voice"),
        ("/voice/openai/v1/realtime", "/voice"),
        ("/team-a/ai_1/v2.0", "/team-a/ai_1/v2.0"),
        ("/openai/openai/v1", "/openai"),
        ("/openai", ""),
        ("/openai/v1", ""),
        ("/v1", ""),
        ("", ""),
    ],
)
def test_a_gateways_path_stands_before_the_apis_own(given: str, kept: str) -> None:
    assert settings(REALTIME_ENDPOINT=GATEWAY + given).endpoint.url == GATEWAY + kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [("/voice", "/voice"), ("/voice/v1", "/voice"), ("/voice/v1/realtime", "/voice"), ("/v1", "")],
)
def test_a_gateways_path_stands_before_openais_own(given: str, kept: str) -> None:
    chosen = settings(REALTIME_ENDPOINT=GATEWAY + given, REALTIME_API_KEY="k", **OPENAI)
    assert chosen.endpoint.url == GATEWAY + kept


@pytest.mark.parametrize(
    "endpoint",
    [
        f"{GATEWAY}/voice/v1",
        f"{GATEWAY}/voice/openai/deployments/m/chat/completions",
        f"{GATEWAY}/voice/openai/v1/realtime/calls",
        f"{GATEWAY}/voice/../admin",
        f"{GATEWAY}/voice//x",
        f"{GATEWAY}/vo ice",
        f"{GATEWAY}/voice?subscription-key=abc",
        f"{GATEWAY}/voice#x",
        f"{GATEWAY}/voice%2fx",
        "https://demo.openai.azure.com/voice",
        "https://demo.services.ai.azure.com/api/projects/p",
        "https://demo.cognitiveservices.azure.com/voice",
        "http://gw.contoso.example/voice",
    ],
)
def test_another_path_is_refused_by_name(endpoint: str) -> None:
    (mistake,) = mistakes(REALTIME_ENDPOINT=endpoint)
    assert mistake.startswith("REALTIME_ENDPOINT:")
    assert "/openai/v1" in mistake
    assert "abc" not in mistake


def test_a_path_is_not_for_the_providers_own_host() -> None:
    (mistake,) = mistakes(
        REALTIME_ENDPOINT="https://api.openai.com/voice", REALTIME_API_KEY="k", **OPENAI
    )
    assert mistake.startswith("REALTIME_ENDPOINT:")


WRONG: list[tuple[dict[str, str], str]] = [
    ({"REALTIME_GATEWAY_KEY": "k"}, "REALTIME_GATEWAY_HEADER"),
    (INSTEAD, "REALTIME_GATEWAY_HEADER"),
    ({"REALTIME_GATEWAY_HEADER": "x-key"}, "REALTIME_GATEWAY_KEY"),
    ({**HEADER, "REALTIME_GATEWAY_HEADER": "x key"}, "REALTIME_GATEWAY_HEADER"),
    ({**HEADER, "REALTIME_GATEWAY_HEADER": "Host"}, "REALTIME_GATEWAY_HEADER"),
    ({**HEADER, "REALTIME_GATEWAY_HEADER": "content-type"}, "REALTIME_GATEWAY_HEADER"),
    ({**HEADER, "REALTIME_GATEWAY_HEADER": "Authorization"}, "REALTIME_GATEWAY_AUTH"),
    ({**HEADER, "REALTIME_GATEWAY_AUTH": "never"}, "REALTIME_GATEWAY_AUTH"),
    (
        {"REALTIME_GATEWAY_HEADER": "x-key", "REALTIME_GATEWAY_KEY_SECRET": "s"},
        "KEY_VAULT_URI",
    ),
    (
        {**HEADER, "REALTIME_GATEWAY_HEADER": "api-key", "REALTIME_API_KEY": "k"},
        "REALTIME_GATEWAY_HEADER",
    ),
    ({"REALTIME_SIDEBAND_ENDPOINT": "off"}, "OBSERVER"),
    ({"REALTIME_SIDEBAND_ENDPOINT": "ws://elsewhere.example"}, "REALTIME_SIDEBAND_ENDPOINT"),
    ({"REALTIME_SIDEBAND_ENDPOINT": "elsewhere"}, "REALTIME_SIDEBAND_ENDPOINT"),
]


@pytest.mark.parametrize(("env", "name"), WRONG)
def test_a_gateways_setting_that_cannot_work_is_refused_by_name(
    env: dict[str, str], name: str
) -> None:
    (mistake,) = mistakes(**env)
    assert mistake.startswith(f"{name}:")
    assert "gateway-key" not in mistake


def test_a_gateway_that_authenticates_itself_needs_no_key_of_openais() -> None:
    assert settings(**OPENAI, **HEADER, **INSTEAD).endpoint.key is None
    elsewhere = {"REALTIME_SIDEBAND_ENDPOINT": "https://api.openai.com"}
    (mistake,) = mistakes(**OPENAI, **HEADER, **INSTEAD, **elsewhere)
    assert mistake.startswith("REALTIME_API_KEY:")


@pytest.fixture
def endpoint() -> Iterator[Upstream]:
    with upstream() as script:
        for base in ("/voice/openai/v1/realtime", "/voice/v1/realtime"):
            script.on(f"{base}/client_secrets", key_reply())
            script.on(f"{base}/calls", answer_reply())
            script.on(f"{base}/calls/{CALL}/hangup", Said(200))
        yield script


def open_model(chosen: Settings) -> ModelEndpoint:
    credentials = open_credentials(chosen, {}, utc_now)
    return open_model_endpoint(chosen.endpoint, credentials, SOON, ThreadPoolExecutor(1), utc_now)


def use_all(client: RealtimeClient) -> None:
    client.mint_key(PROFILE, timedelta(seconds=60), Deadline.after(SOON))
    client.negotiate("v=0", KEY, PROFILE, Deadline.after(SOON))
    client.hang_up(CALL, Deadline.after(SOON))


def at(endpoint: Upstream, **env: str) -> Settings:
    return settings(REALTIME_ENDPOINT=f"{endpoint.url}/voice", REALTIME_API_KEY="our-key", **env)


@pytest.mark.parametrize("auth", ["beside", "instead"])
def test_the_gateways_header_goes_with_every_request_and_ours_beside_it_or_not(
    endpoint: Upstream, auth: str
) -> None:
    model = open_model(at(endpoint, **HEADER, REALTIME_GATEWAY_AUTH=auth))
    use_all(model.client)
    base = "/voice/openai/v1/realtime"
    mint, call, hangup = endpoint.asked
    assert [each.path.partition("?")[0] for each in endpoint.asked] == [
        f"{base}/client_secrets",
        f"{base}/calls",
        f"{base}/calls/{CALL}/hangup",
    ]
    assert all(
        each.headers["ocp-apim-subscription-key"] == "gateway-key" for each in endpoint.asked
    )
    ours = None if auth == "instead" else "our-key"
    assert (mint.headers.get("api-key"), hangup.headers.get("api-key")) == (ours, ours)
    assert call.headers["authorization"] == "Bearer ek_given"
    assert "api-key" not in call.headers


def test_a_gateway_may_want_its_key_as_the_bearer(endpoint: Upstream) -> None:
    env = {**HEADER, **INSTEAD, "REALTIME_GATEWAY_HEADER": "Authorization"}
    use_all(open_model(at(endpoint, **env)).client)
    bearers = [each.headers["authorization"] for each in endpoint.asked]
    assert bearers == ["Bearer gateway-key", "Bearer ek_given", "Bearer gateway-key"]


def test_the_header_goes_with_openais_one_request_too(endpoint: Upstream) -> None:
    client = open_model(at(endpoint, **HEADER, **OPENAI)).client
    client.negotiate_unified("v=0", PROFILE, Deadline.after(SOON))
    (asked,) = endpoint.asked
    assert asked.path == "/voice/v1/realtime/calls"
    assert asked.headers["ocp-apim-subscription-key"] == "gateway-key"
    assert asked.headers["authorization"] == "Bearer our-key"


def test_the_headers_value_comes_from_the_vault(
    endpoint: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = FixedVault({"apim": "of-the-vault\n"})
    monkeypatch.setattr("shared.credentials.credentials.open_vault", lambda *_: vault)
    env = {
        "REALTIME_GATEWAY_HEADER": "x-key",
        "REALTIME_GATEWAY_KEY_SECRET": "apim",
        "KEY_VAULT_URI": "https://kv.vault.azure.net",
    }
    use_all(open_model(at(endpoint, **env)).client)
    assert {each.headers["x-key"] for each in endpoint.asked} == {"of-the-vault"}


def test_a_vault_without_the_gateways_key_is_told(endpoint: Upstream) -> None:
    chosen = at(endpoint, **HEADER)
    assert chosen.endpoint.gateway is not None
    gateway = replace(chosen.endpoint.gateway, key=None, key_secret="apim")
    chosen = replace(chosen, endpoints=(replace(chosen.endpoint, gateway=gateway),))
    client = open_model(chosen).client
    with pytest.raises(Problem, match="vault_secret_unavailable"):
        client.negotiate("v=0", KEY, PROFILE, Deadline.after(SOON))
    assert endpoint.asked == []


def connector(chosen: Settings) -> SidebandConnector:
    found = open_model(chosen).connector
    assert isinstance(found, SidebandConnector)
    return found


OURS = {"REALTIME_API_KEY": "our-key"}


def test_a_sideband_is_dialled_under_the_gateways_path_with_its_header() -> None:
    found = connector(settings(REALTIME_ENDPOINT=f"{GATEWAY}/voice", **OURS, **HEADER))
    assert found.base == "wss://gw.contoso.example/voice/openai/v1/realtime"
    assert found.headers() == {"api-key": "our-key", "Ocp-Apim-Subscription-Key": "gateway-key"}


def test_a_sideband_on_another_host_gets_our_own_credential_and_no_header() -> None:
    elsewhere = {"REALTIME_SIDEBAND_ENDPOINT": "wss://demo.openai.azure.com/openai/v1"}
    found = connector(settings(**OURS, **HEADER, **INSTEAD, **elsewhere))
    assert found.base == "wss://demo.openai.azure.com/openai/v1/realtime"
    assert found.headers() == {"api-key": "our-key"}


def test_a_sideband_under_another_path_of_the_gateway_gets_its_header() -> None:
    elsewhere = {"REALTIME_SIDEBAND_ENDPOINT": f"{GATEWAY}/voice-ws"}
    found = connector(settings(**OURS, **HEADER, **INSTEAD, **elsewhere))
    assert found.base == "wss://gw.contoso.example/voice-ws/openai/v1/realtime"
    assert found.headers() == {"Ocp-Apim-Subscription-Key": "gateway-key"}


async def test_no_sideband_is_dialled_where_none_is_served() -> None:
    chosen = settings(**OURS, REALTIME_SIDEBAND_ENDPOINT="off", OBSERVER="off")
    with pytest.raises(SidebandUnavailable) as unavailable:
        await open_model(chosen).connector(CALL)
    assert unavailable.value.problem == "sideband_not_served"


def test_nothing_of_the_gateways_key_is_shown() -> None:
    assert "gateway-key" not in repr(settings(**HEADER))
