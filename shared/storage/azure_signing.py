"""How a request to a storage account says who sends it: a key, a token or a signature in the URL.

Sources: Microsoft's 'Authorize with Shared Key' and 'Authorize with Microsoft Entra ID (REST)'.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from shared.core.clock import utc_now
from shared.core.refreshing import ExpiringValue, RefreshingValue

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

SCOPE = "https://storage.azure.com/.default"
RENEWED_AHEAD = timedelta(minutes=5)
TENANT = re.compile(r"authorization_uri=\"?https://[^/\s]+/([0-9A-Za-z.-]+)/")


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is for. `path` is as it is sent; `query` is not encoded."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes


SignedText = Callable[[str, Target, Mapping[str, str]], str]
"""What is signed of a request of that account, with these headers."""


class Signer(Protocol):
    """Adds what proves the sender to a request's headers or to its query."""

    @property
    def query(self) -> str:
        """What the URL's query has beside the request's own."""

    def sign(self, target: Target, headers: dict[str, str]) -> None:
        """Adds to the headers, which are otherwise complete."""

    def renew(self, challenge: str) -> bool:
        """Storage answered 401 with this challenge. Says whether the same request may be accepted
        now."""


@dataclass(frozen=True, slots=True)
class SharedKey:
    """Signs with an account's key. `text_to_sign` is the service's form of a request."""

    account: str
    key: bytes = field(repr=False)
    text_to_sign: SignedText
    query: str = ""

    def sign(self, target: Target, headers: dict[str, str]) -> None:
        text = self.text_to_sign(self.account, target, headers)
        digest = hmac.digest(self.key, text.encode(), hashlib.sha256)
        headers["Authorization"] = f"SharedKey {self.account}:{base64.b64encode(digest).decode()}"

    def renew(self, challenge: str) -> bool:  # noqa: ARG002
        return False


def table_text(account: str, target: Target, headers: Mapping[str, str]) -> str:
    """What is signed of a request to tables."""
    kind = headers.get("Content-Type", "")
    return f"{target.method}\n\n{kind}\n{headers['x-ms-date']}\n/{account}{target.path}"


def queue_text(account: str, target: Target, headers: Mapping[str, str]) -> str:
    """What is signed of a request to queues."""
    length = str(len(target.body) or "")
    kind = headers.get("Content-Type", "")
    own = sorted((name, value) for name, value in headers.items() if name.startswith("x-ms-"))
    signed = "".join(f"{name}:{value}\n" for name, value in own)
    query = "".join(f"\n{name}:{value}" for name, value in sorted(target.query.items()))
    # Encoding, language, length, MD5, type, and six more that are not sent.
    return (
        f"{target.method}\n\n\n{length}\n\n{kind}\n\n\n\n\n\n\n"
        f"{signed}/{account}{target.path}{query}"
    )


@dataclass(frozen=True, slots=True)
class UrlSignature:
    """A shared access signature, which is part of the URL."""

    query: str = field(repr=False)

    def sign(self, target: Target, headers: dict[str, str]) -> None:
        """Nothing: the query says it all."""

    def renew(self, challenge: str) -> bool:  # noqa: ARG002
        return False


class BearerToken:
    """Signs with an identity's token, which is renewed before it expires."""

    query: str = ""

    def __init__(self, credential: TokenCredential) -> None:
        self.credential = credential
        self.tenant = ""
        self.token = RefreshingValue(self.fetch, ahead=RENEWED_AHEAD, clock=utc_now)

    def fetch(self) -> ExpiringValue[str]:
        tenant = self.tenant
        asked = {"tenant_id": tenant} if tenant else {}
        token = self.credential.get_token(SCOPE, **asked)  # type: ignore[arg-type]
        return ExpiringValue(token.token, datetime.fromtimestamp(token.expires_on, UTC))

    def sign(self, target: Target, headers: dict[str, str]) -> None:  # noqa: ARG002
        headers["Authorization"] = f"Bearer {self.token.get()}"

    def renew(self, challenge: str) -> bool:
        """The challenge names the account's tenant, which may be another than the identity's."""
        found = TENANT.search(challenge)
        if found:
            self.tenant = found[1]
        self.token.drop(self.token.get())
        return found is not None


def signer_of(credential: Any, url: str, text_to_sign: SignedText) -> Signer:
    """What signs as an SDK client with this credential and URL does. Raises ValueError where no
    request could be signed."""
    if hasattr(credential, "get_token"):
        return BearerToken(credential)
    if hasattr(credential, "named_key"):
        name, key = credential.named_key
        return SharedKey(name, base64.b64decode(key), text_to_sign)
    if hasattr(credential, "account_key"):
        key = base64.b64decode(credential.account_key)
        return SharedKey(credential.account_name, key, text_to_sign)
    signature = getattr(credential, "signature", "") or url.partition("?")[2]
    if not signature:
        raise ValueError("nothing to sign requests with")
    return UrlSignature(str(signature).lstrip("?"))
