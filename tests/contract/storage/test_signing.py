"""Requests that are signed here and not by the SDK: with a URL's signature, with a token that is
renewed on a challenge, through a proxy. Keys and tokens that hold: every test on Azurite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import azure.data.tables
import azure.storage.queue
import pytest
from azure.core.credentials import AccessToken, AzureNamedKeyCredential
from azure.core.exceptions import ClientAuthenticationError

from shared.core.http_session import open_transport
from shared.storage.azure import open_storage
from shared.storage.azure_requests import DirectService
from shared.storage.azure_retry import Timeouts
from shared.storage.azure_signing import SCOPE, BearerToken
from shared.storage.interfaces import Entity, Storage, StorageUnavailable, Write
from tests.support.azurite import ACCOUNT, KEY, shared_azurite
from tests.support.scripted_endpoint import Asked, Raw, Said, Upstream, upstream

SHORT = timedelta(seconds=1)
CHALLENGE = (
    "Bearer authorization_uri=https://login.microsoftonline.com/their-tenant/oauth2/authorize"
    " resource_id=https://storage.azure.com"
)


def signature(library: Any) -> str:
    """A shared access signature of the whole account."""
    kinds = {"service": True, "container": True, "object": True}
    rights = dict.fromkeys(("read", "write", "delete", "list", "add", "create", "update"), True)
    common = {
        "resource_types": library.ResourceTypes(**kinds),
        "permission": library.AccountSasPermissions(**rights, process=True),
        "expiry": datetime.now(UTC) + timedelta(hours=1),
    }
    if library is azure.data.tables:
        made = library.generate_account_sas(AzureNamedKeyCredential(ACCOUNT, KEY), **common)
    else:
        made = library.generate_account_sas(account_name=ACCOUNT, account_key=KEY, **common)
    return str(made)


@pytest.mark.parametrize("library", [azure.data.tables, azure.storage.queue])
def test_a_signature_in_the_url_opens_the_account(library: Any) -> None:
    azurite, name = shared_azurite(), f"signed{uuid4().hex[:12]}"
    storage = open_storage(
        f"BlobEndpoint=http://127.0.0.1:{azurite.blob_port}/{ACCOUNT};"
        f"QueueEndpoint=http://127.0.0.1:{azurite.queue_port}/{ACCOUNT};"
        f"TableEndpoint=http://127.0.0.1:{azurite.table_port}/{ACCOUNT};"
        f"SharedAccessSignature={signature(library)}"
    )
    uses = {azure.data.tables: use_table, azure.storage.queue: use_queue}
    uses[library](storage, name)
    storage.close()


def use_table(storage: Storage, name: str) -> None:
    table = storage.table(name)
    row = table.insert(Entity("p", "it's", {"n": 1}))
    row = table.replace(row.with_values({"n": 2}))
    made, changed = table.transact(
        [Write("insert", Entity("p", "other")), Write("replace", row.with_values({"n": 3}))]
    )
    assert [table.get("p", "it's"), table.get("p", "other")] == [changed, made]


def use_queue(storage: Storage, name: str) -> None:
    storage.queue(name).send("hello")
    (message,) = storage.queue(name).receive(visibility=timedelta(minutes=1))
    assert message.body == "hello"


class Identity:
    """A credential whose tokens are numbered."""

    def __init__(self, lasts: float = 2**32) -> None:
        self.lasts = lasts
        self.asked: list[tuple[tuple[str, ...], dict[str, Any]]] = []
        self.unavailable = False

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        if self.unavailable:
            raise ClientAuthenticationError("secret words")
        self.asked.append((scopes, options))
        return AccessToken(f"token-{len(self.asked)}", int(self.lasts))


@pytest.fixture
def endpoint() -> Iterator[Upstream]:
    with upstream() as script:
        yield script


@pytest.fixture
def service(endpoint: Upstream) -> Iterator[Callable[[Identity], DirectService]]:
    transport = open_transport(connect=SHORT, read=SHORT)
    session = transport.session

    def opened(identity: Identity) -> DirectService:
        signer = BearerToken(identity)
        return DirectService(endpoint.url, signer, session, Timeouts(), lambda *_: None)

    yield opened
    session.close()


def ask(service: DirectService) -> None:
    service.send("GET", "/x", {}, expected=200)


def test_a_token_is_kept_and_renewed_on_a_challenge(
    endpoint: Upstream, service: Callable[[Identity], DirectService]
) -> None:
    identity = Identity()
    answers = [Said(200), Said(200), Said(401, b"", {"WWW-Authenticate": CHALLENGE}), Said(200)]
    endpoint.script["/x"] = [*answers]
    opened = service(identity)
    for _ in range(3):
        ask(opened)
    sent = [asked.headers["authorization"] for asked in endpoint.asked]
    assert sent == ["Bearer token-1"] * 3 + ["Bearer token-2"]
    assert identity.asked == [((SCOPE,), {}), ((SCOPE,), {"tenant_id": "their-tenant"})]


def test_a_refused_token_is_unavailable_and_not_kept(
    endpoint: Upstream, service: Callable[[Identity], DirectService]
) -> None:
    endpoint.script["/x"] = [Said(401, b"", {"WWW-Authenticate": CHALLENGE})]
    opened = service(Identity())
    for number in (2, 4):
        with pytest.raises(StorageUnavailable, match="identity"):
            ask(opened)
        assert len(endpoint.asked) == number, "asked once more with a new token, and no more"


def test_an_answer_to_another_request_is_not_taken_and_its_connection_not_used_again(
    endpoint: Upstream, service: Callable[[Identity], DirectService]
) -> None:
    endpoint.script["/x"] = [
        Said(200, b"{}", {"x-ms-client-request-id": "another"}),
        Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ]
    opened = service(Identity())
    with pytest.raises(StorageUnavailable, match="another request"):
        ask(opened)
    assert opened.pool.num_connections == 1
    ask(opened)
    assert opened.pool.num_connections == 1
    (connection,) = [each for each in opened.pool.pool.queue if each is not None]  # type: ignore[union-attr]
    assert connection.responses == 1, "it was opened again"


def test_a_proxy_is_told_the_whole_address(
    endpoint: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", endpoint.url)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.delenv("NO_PROXY", raising=False)
    asked: list[str] = []

    def refuse(request: Asked) -> Said:
        asked.append(request.path)
        return Said(404)

    endpoint.listener.reply = refuse
    storage = open_storage(
        f"AccountName={ACCOUNT};AccountKey={KEY};TableEndpoint=http://tables.example;"
    )
    with pytest.raises(StorageUnavailable):
        storage.table("calls").get("p", "r")
    storage.close()
    assert asked[:1] == ["http://tables.example/calls(PartitionKey='p',RowKey='r')"]
