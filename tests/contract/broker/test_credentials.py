"""The broker authenticates with the real azure-identity and azure-keyvault-secrets, to a
managed-identity endpoint and a vault over TLS that can go offline."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from azure.core.exceptions import HttpResponseError, ODataV4Format

from local.azure.key_vault import LocalKeyVault
from local.azure.managed_identity import make_app
from shared.core.problems import Problem
from shared.credentials.endpoint_credential import KeyCredential
from shared.credentials.identity import EntraCredential, entra_code, open_identity
from shared.credentials.key_vault import Vault, VaultReader, vault_problem
from tests.support.clock import Clock

CASES = Path(__file__).resolve().parents[2] / "fixtures" / "cases"
TTL = timedelta(minutes=5)
SCOPE = "https://ai.azure.com/.default"
HEADER = "a-header-of-the-platform"


@pytest.fixture
async def platform(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Mapping[str, str]]:
    """The environment that Functions gives an app with a managed identity."""
    async with TestServer(make_app(HEADER)) as server:
        env = {
            "IDENTITY_ENDPOINT": str(server.make_url("/msi/token")),
            "IDENTITY_HEADER": HEADER,
        }
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        yield env


@pytest.fixture
async def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalKeyVault]:
    async with LocalKeyVault(tmp_path / "ca.pem") as running:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        yield running


def fetcher(stand_in: LocalKeyVault, platform: Mapping[str, str]) -> Callable[[str], str]:
    reader = VaultReader(stand_in.url, lambda: open_identity(platform), timedelta(seconds=3))
    return reader.fetch_secret


async def test_the_managed_identity_gives_a_bearer_and_keeps_it(
    platform: Mapping[str, str],
) -> None:
    clock = Clock(datetime.now(UTC))
    proof = EntraCredential(cache(lambda: open_identity(platform)), SCOPE, clock)
    first = await asyncio.to_thread(proof.headers)
    assert first["Authorization"].startswith("Bearer ey")
    assert await asyncio.to_thread(proof.headers) == first


async def test_a_missing_identity_is_a_problem_without_the_sdks_message(
    platform: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "another")
    proof = EntraCredential(lambda: open_identity(platform), SCOPE, Clock(datetime.now(UTC)))
    with pytest.raises(Problem) as problem:
        await asyncio.to_thread(proof.headers)
    assert problem.value.code == "credential_unavailable"
    assert problem.value.__cause__ is None


async def test_a_wrong_client_id_is_a_problem_of_the_identity_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    case = json.loads((CASES / "managed-identity-refused.json").read_text())

    async def refuse(_: web.Request) -> web.Response:
        return web.json_response(case["body"], status=case["status"])

    app = web.Application()
    app.router.add_get("/msi/token", refuse)
    caplog.set_level(logging.INFO, "broker")
    async with TestServer(app) as server:
        env = {"IDENTITY_ENDPOINT": str(server.make_url("/msi/token")), "IDENTITY_HEADER": "x"}
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        proof = EntraCredential(lambda: open_identity(env), SCOPE, Clock(datetime.now(UTC)))
        with pytest.raises(Problem, match="credential_unavailable") as problem:
            await asyncio.to_thread(proof.headers)
    assert "AZURE_CLIENT_ID" in problem.value.meaning.hint
    assert "identity refused" in caplog.text
    ours = [each.getMessage() for each in caplog.records if each.name == "broker"]
    assert not [line for line in ours if "No User Assigned" in line]


def test_entras_code_is_told_from_the_sdks_text() -> None:
    assert entra_code(ValueError("AADSTS700016: Application with identifier 'x'")) == "AADSTS700016"
    assert entra_code(ValueError("no code")) == ""


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (403, {"code": "Forbidden", "innererror": {"code": "ForbiddenByRbac"}}, "secret"),
        (403, {"code": "Forbidden", "innererror": {"code": "ForbiddenByFirewall"}}, "network"),
        (403, {"code": "Forbidden", "innererror": {"code": "ForbiddenByConnection"}}, "network"),
        (403, {"code": "Forbidden", "innererror": "odd"}, "secret"),
        (403, {"code": ["odd"]}, "secret"),
        (404, {"code": "SecretNotFound"}, "secret"),
        (429, {"code": "Throttled"}, "vault"),
        (503, None, "vault"),
    ],
)
def test_the_vaults_network_rules_are_told_from_a_missing_role(
    status: int, error: Any, code: str
) -> None:
    refused = HttpResponseError("refused")
    refused.status_code = status
    refused.error = ODataV4Format({"error": error}) if error else None
    problem = vault_problem(refused)
    wanted = "vault_secret_unavailable" if code == "secret" else "vault_unavailable"
    assert problem.code == wanted
    assert ("network" in problem.detail) == (code == "network")


async def test_a_key_in_the_vault_is_read_once_per_ttl_and_outlives_the_vault(
    platform: Mapping[str, str], stand_in: LocalKeyVault
) -> None:
    clock = Clock(datetime.now(UTC))
    stand_in.secrets.set("model-key", "one")
    fetch = fetcher(stand_in, platform)
    vault = Vault(fetch, TTL, clock)
    key = KeyCredential(lambda: vault.secret("model-key"), "azure")

    async def header() -> str:
        return (await asyncio.to_thread(key.headers))["api-key"]

    assert [await header() for _ in range(3)] == ["one"] * 3
    assert stand_in.secrets.reads == 1

    stand_in.secrets.set("model-key", "two")
    clock.now += TTL
    assert await header() == "two"

    await stand_in.go_offline()
    clock.now += 10 * TTL
    assert await header() == "two", "the last good value is kept"
    await stand_in.go_online()
    stand_in.secrets.set("model-key", "three")
    clock.now += TTL
    assert await header() == "three"


@pytest.mark.parametrize(
    ("status", "code"), [(403, "vault_secret_unavailable"), (503, "vault_unavailable")]
)
async def test_refusals_of_the_vault_are_told_apart(
    platform: Mapping[str, str], stand_in: LocalKeyVault, status: int, code: str
) -> None:
    stand_in.secrets.status = status
    fetch = fetcher(stand_in, platform)
    with pytest.raises(Problem) as problem:
        await asyncio.to_thread(fetch, "model-key")
    assert problem.value.code == code


async def test_a_missing_secret_and_an_unreachable_vault(
    platform: Mapping[str, str], stand_in: LocalKeyVault
) -> None:
    fetch = fetcher(stand_in, platform)
    with pytest.raises(Problem, match="vault_secret_unavailable"):
        await asyncio.to_thread(fetch, "nothing-here")
    await stand_in.go_offline()
    with pytest.raises(Problem, match="vault_unavailable"):
        await asyncio.to_thread(fetch, "nothing-here")


async def test_many_waiting_threads_read_the_vault_once(
    platform: Mapping[str, str], stand_in: LocalKeyVault
) -> None:
    stand_in.secrets.set("model-key", "one")
    fetch = fetcher(stand_in, platform)
    vault = Vault(fetch, TTL, Clock(datetime.now(UTC)))
    found = await asyncio.gather(*(asyncio.to_thread(vault.secret, "model-key") for _ in range(20)))
    assert set(found) == {"one"}
    assert stand_in.secrets.reads == 1
