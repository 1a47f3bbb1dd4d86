"""The vault, called by the real azure-keyvault-secrets over TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.keyvault.secrets import SecretClient

from local.azure.key_vault import LocalKeyVault
from tests.support.programs import program


class Credential:
    """A credential that records the scopes it is asked for."""

    def __init__(self) -> None:
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes += scopes
        return AccessToken("a-token", 2**40)


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[LocalKeyVault]:
    async with LocalKeyVault(tmp_path / "ca.pem") as running:
        yield running


@pytest.fixture
def client(vault: LocalKeyVault) -> Iterator[SecretClient]:
    with opened(vault.url, vault.ca, Credential()) as secrets:
        yield secrets


def opened(url: str, ca: Path, credential: Credential) -> SecretClient:
    return SecretClient(
        url,
        credential,
        verify_challenge_resource=False,
        connection_verify=str(ca),
        retry_total=0,
    )


async def test_set_changed_and_removed(vault: LocalKeyVault, client: SecretClient) -> None:
    def story() -> None:
        first = client.set_secret("api-key", "one")
        assert client.get_secret("api-key").value == "one"
        client.set_secret("api-key", "two")
        assert client.get_secret("api-key").value == "two"
        assert first.properties.version
        assert client.get_secret("api-key", first.properties.version).value == "one"
        assert [s.name for s in client.list_properties_of_secrets()] == ["api-key"]
        with pytest.raises(ResourceNotFoundError):
            client.get_secret("another")

    await asyncio.to_thread(story)
    vault.secrets.set("api-key", "three")
    assert (await asyncio.to_thread(client.get_secret, "api-key")).value == "three"
    assert vault.secrets.reads == 4
    vault.secrets.remove("api-key")
    with pytest.raises(ResourceNotFoundError):
        await asyncio.to_thread(client.get_secret, "api-key")


async def test_the_challenge_says_whom_to_ask(vault: LocalKeyVault) -> None:
    credential = Credential()
    vault.secrets.set("a", "1")
    with opened(vault.url, vault.ca, credential) as client:
        await asyncio.to_thread(client.get_secret, "a")
    assert credential.scopes == ["https://vault.azure.net/.default"]


async def test_taken_away_and_put_back(vault: LocalKeyVault, client: SecretClient) -> None:
    vault.secrets.set("a", "1")
    assert (await asyncio.to_thread(client.get_secret, "a")).value == "1"
    await vault.go_offline()
    with pytest.raises(ServiceRequestError):
        await asyncio.to_thread(client.get_secret, "a")
    await vault.go_online()
    assert (await asyncio.to_thread(client.get_secret, "a")).value == "1"
    vault.secrets.status = 503
    with pytest.raises(HttpResponseError) as failed:
        await asyncio.to_thread(client.get_secret, "a")
    assert failed.value.status_code == 503


async def test_the_program(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    arguments = ("--port", "0", "--ca", str(ca), "--secret", "a=one=1")
    async with program("local.azure.key_vault", *arguments) as vault:
        assert vault.url.startswith("https://127.0.0.1:")
        with opened(vault.url, ca, Credential()) as client:
            assert (await asyncio.to_thread(client.get_secret, "a")).value == "one=1"
    assert vault.process.returncode == 0
