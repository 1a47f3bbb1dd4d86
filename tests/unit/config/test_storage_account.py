"""The setting that names the storage account."""

from __future__ import annotations

import pytest

from tests.support.settings_loading import load, mistakes

STORAGE = "AzureWebJobsStorage"
AZURE = {"WEBSITE_SITE_NAME": "app", "BROKER_SECRET": "s" * 40}
KEY = "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U="
USABLE = f"DefaultEndpointsProtocol=https;AccountName=demo;AccountKey={KEY}"


@pytest.mark.parametrize(
    "connection",
    [
        *("nonsense", "<connection string>", "https://demo.blob.core.windows.net", f'"{USABLE}"'),
        *(USABLE.replace(KEY, "***"), USABLE.replace("demo", ""), USABLE.partition(";AccountK")[0]),
        *("DefaultEndpointsProtocol=https", "SharedAccessSignature=sv=1", "${STORAGE}"),
        USABLE.replace("demo", "<account>"),
    ],
)
def test_a_connection_string_that_connects_to_nothing(connection: str) -> None:
    for at in ({}, AZURE):
        assert set(mistakes(at, **{STORAGE: connection})) == {STORAGE}


@pytest.mark.parametrize(
    "connection",
    [
        USABLE,
        f"{USABLE};EndpointSuffix=core.usgovcloudapi.net;",
        f"AccountName=devstoreaccount1;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:10000/x",
        "BlobEndpoint=https://demo.blob.core.windows.net;SharedAccessSignature=sv=1&sig=x%3D",
    ],
)
def test_a_connection_string(connection: str) -> None:
    load(AZURE, **{STORAGE: connection})


def test_the_storage_emulator_is_for_laptops() -> None:
    load(**{STORAGE: "UseDevelopmentStorage=true"})
    assert set(mistakes(AZURE, **{STORAGE: "UseDevelopmentStorage=true"})) == {STORAGE}


def uris(**changes: str) -> dict[str, str]:
    each = {kind: f"https://demo.{kind}.core.windows.net" for kind in ("blob", "queue", "table")}
    return {f"{STORAGE}__{kind}ServiceUri": uri for kind, uri in {**each, **changes}.items()}


def test_each_service_has_its_own_address() -> None:
    load(AZURE, uris())
    load(AZURE, uris(table="https://demo.z1.table.storage.azure.net/"))
    load(AZURE, {f"{STORAGE}__accountName": "demo"})
    for wrong in ("https://demo.blob.core.windows.net", "demo", "http://demo.x", "https://<x>.y"):
        assert set(mistakes(AZURE, uris(queue=wrong))) == {f"{STORAGE}__queueServiceUri"}
    missing = mistakes(AZURE, uris(table="", queue=""))
    assert set(missing) == {f"{STORAGE}__tableServiceUri", f"{STORAGE}__queueServiceUri"}
    assert set(mistakes(AZURE, {f"{STORAGE}__accountName": "https://demo.x"})) == {
        f"{STORAGE}__accountName"
    }
    load(uris(table="", queue=""))
