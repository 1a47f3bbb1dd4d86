"""The broker authenticates with the real azure-identity and azure-keyvault-secrets, to a
managed-identity endpoint and a vault over TLS that can go offline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from local.azure.key_vault import LocalKeyVault
from local.azure.managed_identity import make_app
from shared.core.problems import Problem
from shared.credentials.endpoint_credential import KeyCredential
from shared.credentials.identity import EntraCredential, open_identity
from shared.credentials.key_vault import Vault, VaultReader
from tests.support.clock import Clock

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
