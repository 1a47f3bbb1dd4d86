"""One class for each kind of pooled session that the broker has, and how a caller asks over it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from shared.auth.signing_keys import JwksCache
from shared.core.deadline import Deadline
from shared.core.http_session import open_session
from shared.credentials.identity import EntraCredential, open_identity
from shared.credentials.key_vault import VaultReader
from shared.realtime.client import RealtimeClient
from shared.storage.azure import open_storage
from shared.upstream.transport import Timeouts
from tests.support.scripted_endpoint import (
    Said,
    Upstream,
    answer_reply,
    key_reply,
)
from tests.unit.core.clients import (
    EPHEMERAL,
    HASTE,
    PROFILE,
    Identity,
    StandardKey,
    connection_string,
    insecure_client,
)

SOON = timedelta(seconds=5)
JSON = {"Content-Type": "application/json"}
CALLERS = ["ada", "bob", "eve"]
FAILED = "failed"


class Session(ABC):
    """One kind of session: `own` is the answer to a caller's request, `ask` makes the request and
    gives the word in the answer, which is the caller's name. `sends_itself`: without an SDK."""

    sends_itself = False

    def __init__(self, endpoint: Upstream) -> None:
        self.endpoint = endpoint

    @abstractmethod
    def own(self, caller: str) -> Said: ...

    @abstractmethod
    def ask(self, caller: str) -> str: ...

    def close(self) -> None:
        """Most have nothing of their own to close."""
        return


class Model(Session):
    """The model's endpoint."""

    sends_itself = True

    def __init__(self, endpoint: Upstream) -> None:
        super().__init__(endpoint)
        session = open_session(endpoint.url)
        timeouts = Timeouts(tries=1)
        self.client = RealtimeClient(
            "azure", endpoint.url, StandardKey(), session, timeouts=timeouts
        )


class Offers(Model):
    def own(self, caller: str) -> Said:
        return answer_reply(f"/v1/realtime/calls/rtc_{caller}")

    def ask(self, caller: str) -> str:
        answer = self.client.negotiate(f"v=0 {caller}", EPHEMERAL, PROFILE, Deadline.after(SOON))
        return answer.call_id.removeprefix("rtc_")


class Keys(Model):
    def own(self, caller: str) -> Said:
        return key_reply(caller)

    def ask(self, caller: str) -> str:
        profile = replace(PROFILE, session={"model": caller})
        return self.client.mint_key(profile, timedelta(seconds=60), Deadline.after(SOON)).value


class HangUps(Model):
    def own(self, caller: str) -> Said:
        return Said({"ada": 200, "bob": 202, "eve": 204}[caller])

    def ask(self, caller: str) -> str:
        status = self.client.hang_up(f"rtc_{caller}", Deadline.after(SOON)).status
        return {200: "ada", 202: "bob", 204: "eve"}[status]


class Rows(Session):
    """Storage."""

    sends_itself = True

    def __init__(self, endpoint: Upstream) -> None:
        super().__init__(endpoint)
        self.storage = open_storage(connection_string(endpoint), timeouts=HASTE)

    def own(self, caller: str) -> Said:
        row = {"odata.etag": "e", "PartitionKey": "p", "RowKey": caller, "word": caller}
        return Said(200, json.dumps(row).encode(), {**JSON, "ETag": "e"})

    def ask(self, caller: str) -> str:
        found = self.storage.table("ttt").get("p", caller)
        return str(found.values["word"]) if found else "nothing"

    def close(self) -> None:
        self.storage.close()


class Secrets(Session):
    """Key Vault."""

    def __init__(self, endpoint: Upstream) -> None:
        super().__init__(endpoint)
        self.reader = VaultReader(endpoint.url, Identity, timedelta(seconds=2))
        client = insecure_client(self.reader)
        self.reader.client = lambda: client  # type: ignore[assignment]

    def own(self, caller: str) -> Said:
        content = {"value": caller, "id": f"{self.endpoint.url}/secrets/{caller}/1"}
        return Said(200, json.dumps(content).encode(), JSON)

    def ask(self, caller: str) -> str:
        return self.reader.fetch_secret(caller)


class Tokens(Session):
    """The platform's identity."""

    def __init__(self, endpoint: Upstream) -> None:
        super().__init__(endpoint)
        self.identity = open_identity({"IDENTITY_ENDPOINT": "there"})

    def own(self, caller: str) -> Said:
        content = {
            "access_token": caller,
            "expires_on": "4000000000",
            "resource": caller,
            "token_type": "Bearer",
        }
        return Said(200, json.dumps(content).encode(), JSON)

    def ask(self, caller: str) -> str:
        credential = EntraCredential(
            lambda: self.identity, f"https://{caller}/.default", lambda: datetime.now(UTC)
        )
        return credential.headers()["Authorization"].removeprefix("Bearer ")


@cache
def signing_key() -> dict[str, Any]:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from jwt.algorithms import RSAAlgorithm

    key = rsa.generate_private_key(65537, 2048).public_key()
    found: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(key))
    return found


class SignInKeys(Session):
    """The tenant's keys."""

    def __init__(self, endpoint: Upstream) -> None:
        super().__init__(endpoint)
        self.session = open_session(endpoint.url)

    def own(self, caller: str) -> Said:
        content = {"keys": [{**signing_key(), "kid": caller}]}
        return Said(200, json.dumps(content).encode(), JSON)

    def ask(self, caller: str) -> str:
        url = f"{self.endpoint.url}/{caller}/discovery/v2.0/keys"
        keys = JwksCache(self.session, url, timeout=SOON)
        keys.key(caller)
        return caller


SESSIONS = [Offers, Keys, HangUps, Rows, Secrets, Tokens, SignInKeys]
