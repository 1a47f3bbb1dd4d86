"""What asks the model's endpoint, storage and the vault, in front of a scripted endpoint."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.config.profiles import Profile
from shared.credentials.key_vault import VaultReader
from shared.realtime.ephemeral_keys import EphemeralKey
from shared.storage.azure_retry import Timeouts as StorageTimeouts
from tests.support.azurite import ACCOUNT, KEY
from tests.support.scripted_endpoint import Upstream

PROFILE = Profile("default", {"type": "realtime", "model": "gpt-realtime"})
BUDGET = timedelta(seconds=0.6)
EPHEMERAL = EphemeralKey("ek_given", datetime(2030, 1, 1, tzinfo=UTC))


class StandardKey:
    def headers(self) -> dict[str, str]:
        return {"api-key": "k3y"}


class Identity:
    def get_token(self, *_: object, **__: object) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken("a-token", 2**40)


def insecure_client(reader: VaultReader) -> Any:
    """The reader's own client, without the policy that refuses to send a token over HTTP."""
    client = reader.open_client()
    policies = client._client._client._pipeline._impl_policies
    policies[:] = [each for each in policies if "Challenge" not in type(each).__name__]
    for before, after in itertools.pairwise(policies):
        before.next = after
    return client


HASTE = StorageTimeouts(
    read=timedelta(seconds=0.6), whole=BUDGET, backoff=timedelta(milliseconds=1)
)


def connection_string(endpoint: Upstream) -> str:
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};" + "".join(
        f"{service}Endpoint={endpoint.url}/{ACCOUNT};" for service in ("Blob", "Queue", "Table")
    )
