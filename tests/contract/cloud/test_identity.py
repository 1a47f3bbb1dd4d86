"""The managed identity endpoint, called by the real azure-identity."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import urlsafe_b64decode
from datetime import timedelta

import aiohttp
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

from local.azure.managed_identity import IDENTITY_PATH, make_app
from tests.support.programs import program, run, running

SCOPE = "https://ai.azure.com/.default"


@pytest.mark.parametrize("kind", [DefaultAzureCredential, ManagedIdentityCredential])
async def test_the_real_package_gets_a_token(
    kind: type[ManagedIdentityCredential], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(make_app("local")) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url + IDENTITY_PATH)
        monkeypatch.setenv("IDENTITY_HEADER", "local")
        with kind() as credential:
            token = await asyncio.to_thread(credential.get_token, SCOPE)
    claims = json.loads(urlsafe_b64decode(token.token.split(".")[1] + "=="))
    assert claims["aud"] == "https://ai.azure.com"
    assert token.expires_on == claims["exp"]
    assert token.expires_on > time.time() + timedelta(hours=23).total_seconds()


async def test_the_real_package_is_refused_with_the_wrong_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(make_app("local")) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url + IDENTITY_PATH)
        monkeypatch.setenv("IDENTITY_HEADER", "other")
        with ManagedIdentityCredential() as credential, pytest.raises(ClientAuthenticationError):
            await asyncio.to_thread(credential.get_token, SCOPE)


@pytest.mark.parametrize(
    ("query", "header", "status"),
    [
        ("?api-version=2019-08-01&resource=r", "local", 200),
        ("?api-version=2019-08-01&resource=r", "", 401),
        ("?api-version=2017-09-01&resource=r", "local", 400),
        ("?api-version=2019-08-01", "local", 400),
    ],
)
async def test_what_is_asked(query: str, header: str, status: int) -> None:
    async with (
        running(make_app("local")) as url,
        aiohttp.ClientSession(headers={"X-IDENTITY-HEADER": header}) as session,
        session.get(url + IDENTITY_PATH + query) as got,
    ):
        assert got.status == status


async def test_the_program() -> None:
    async with program(
        "local.azure.managed_identity", "--port", "0", environment={"IDENTITY_HEADER": "x"}
    ) as identity:
        assert identity.url.startswith("http://127.0.0.1:")
    assert identity.process.returncode == 0
    code, _, errors = await run("local.azure.managed_identity", environment={"IDENTITY_HEADER": ""})
    assert (code, len(errors.splitlines())) == (2, 1)
