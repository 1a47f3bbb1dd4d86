"""`/api/health/deep` where a setting is found to be wrong only once it is used: the remedy that it
names is the right one."""

from __future__ import annotations

import pytest

from shared.admin.health import run_checks
from shared.broker import open_broker
from shared.credentials import credentials
from tests.contract.broker.conftest import AppClient
from tests.support.app_settings import LINKED
from tests.support.principals import signed_in
from tests.support.scripted_endpoint import Said, Upstream
from tests.support.vaults import FixedVault

ADMIN = signed_in("4f0c1ad2c3a94f0b8f9e0b6d6d3c9a51", "admin")
TENANT = "7a797836-d1e3-4249-a68d-f2cb8e4f58a5"
KEYS = "/keys"
REFERENCE = "@Microsoft.KeyVault(SecretUri=https://demo.vault.azure.net/secrets/x/)"


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    return {**settings, **LINKED}


async def failing(app: AppClient) -> dict[str, dict[str, str]]:
    """The checks that fail, by name."""
    answer = await app.get("/api/health/deep", headers=ADMIN)
    checks = (await answer.json())["checks"]
    return {check["name"]: check for check in checks if check["status"] == "failing"}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Said(404, b'{"error":"invalid_tenant"}'), "answered 404"),
        (Said(400, b'{"error":"invalid_tenant"}'), "answered 400"),
        (Said(302, b"", {"Location": "https://elsewhere.example/"}), "answered 302"),
        (Said(200, b'{"issuer": "https://login.example", "jwks_uri": "/keys"}'), "has no keys"),
        (Said(200, b"<html>"), "has no keys"),
    ],
)
async def test_an_address_that_has_no_sign_in_keys(
    app: AppClient, endpoint: Upstream, settings: dict[str, str], reply: Said, words: str
) -> None:
    settings |= entra(endpoint.url)
    endpoint.on(KEYS, reply)
    found = await failing(app)
    assert set(found) == {"sign_in"}
    assert found["sign_in"]["code"] == "sign_in_keys_unavailable"
    assert words in found["sign_in"]["detail"]
    assert "ENTRA_KEYS_URL" in found["sign_in"]["hint"]


async def test_sign_in_keys_that_cannot_be_reached(
    app: AppClient, settings: dict[str, str]
) -> None:
    settings |= entra("http://127.0.0.1:9")
    found = await failing(app)
    assert set(found) == {"sign_in"}
    assert "outbound network" in found["sign_in"]["detail"]


def entra(keys: str) -> dict[str, str]:
    """Callers' tokens, besides, with keys at that address."""
    return {
        "CALLER_AUTH": "static-web-apps,entra",
        "ENTRA_TENANT_ID": TENANT,
        "ENTRA_AUDIENCE": "84846a08-b110-44f0-92af-a353b2e94d30",
        "ENTRA_REQUIRED_SCOPE": "call",
        "ENTRA_KEYS_URL": keys + KEYS,
    }


@pytest.mark.parametrize(
    ("name", "check", "secret", "words"),
    [
        ("BROKER_SECRET_NAME", "secret", None, "does not return the secret"),
        ("BROKER_SECRET_NAME", "secret", "tiny", "32 bytes"),
        ("BROKER_SECRET_NAME", "secret", REFERENCE, "stands for another"),
        ("REALTIME_API_KEY_SECRET", "credential", None, "does not return the secret"),
        ("REALTIME_API_KEY_SECRET", "credential", REFERENCE, "not a key"),
        ("REALTIME_API_KEY_SECRET", "credential", "two words", "not a key"),
        ("REALTIME_API_KEY_SECRET", "credential", "k\u00fc", "not a key"),
    ],
)
async def test_a_secret_of_the_vault_that_is_of_no_use(
    settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    check: str,
    secret: str | None,
    words: str,
) -> None:
    kept = {} if secret is None else {"the-secret": secret}
    found = failing_checks(settings, monkeypatch, FixedVault(kept), **{name: "the-secret"})
    assert check in found
    assert found[check]["code"] == "vault_secret_unavailable"
    assert words in found[check]["detail"]
    assert secret is None or secret not in str(found)


async def test_a_key_that_was_piped_into_the_vault_is_used_without_its_line_end(
    settings: dict[str, str], endpoint: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = FixedVault({"the-secret": "k3y\r\n"})
    assert failing_checks(settings, monkeypatch, vault, REALTIME_API_KEY_SECRET="the-secret") == {}
    assert endpoint.asked[0].headers["api-key"] == "k3y"


def failing_checks(
    settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    vault: FixedVault,
    **names: str,
) -> dict[str, dict[str, str]]:
    """The failing checks of a broker whose secrets are in `vault`."""
    monkeypatch.setattr(credentials, "open_vault", lambda *_: vault)
    chosen = {**settings, "KEY_VAULT_URI": "https://demo.vault.azure.net", **names}
    if "REALTIME_API_KEY_SECRET" in names:
        del chosen["REALTIME_API_KEY"]
    if "BROKER_SECRET_NAME" in names:
        del chosen["BROKER_SECRET"]
    checks = run_checks(open_broker(chosen).checks)["checks"]
    return {check["name"]: check for check in checks if check["status"] == "failing"}


async def test_what_ends_is_a_warning_and_no_failure(
    app: AppClient, settings: dict[str, str]
) -> None:
    settings["REALTIME_MODEL"] = "gpt-4o-realtime-preview"
    for route in ("/api/health/deep", "/api/health?deep=1"):
        answer = await app.get(route, headers=ADMIN)
        content = await answer.json()
        assert (answer.status, content["status"]) == (200, "ok")
        [told] = content["warnings"]
        assert "gpt-4o-realtime-preview retired on 2026-03-24" in told


async def test_a_host_that_follows_few_calls_at_once_is_a_warning_and_no_failure(
    app: AppClient, settings: dict[str, str]
) -> None:
    settings["AzureFunctionsJobHost__extensions__queues__newBatchThreshold"] = "8"
    answer = await app.get("/api/health/deep", headers=ADMIN)
    assert "24 calls at once" in (await answer.json())["warnings"][0]


async def test_nothing_is_warned_of_where_nothing_ends(
    app: AppClient, settings: dict[str, str]
) -> None:
    settings["REALTIME_MODEL"] = "voice-prod"
    assert "warnings" not in await (await app.get("/api/health/deep", headers=ADMIN)).json()
