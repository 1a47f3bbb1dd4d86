"""Storage that is accessed with an identity and no key, as it is in Azure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import jwt
import pytest
import trustme
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from shared.storage.azure import open_storage
from shared.storage.interfaces import Entity, ServiceUris, Storage, StorageUnavailable
from tests.support.azurite import ACCOUNT, NoAzurite, start_azurite, stop

HOUR = 3600


class Identity:
    """A credential like azure-identity's. Azurite checks a token's claims, not its signature."""

    def __init__(self, audience: str = "https://storage.azure.com") -> None:
        self.audience = audience
        self.asked: list[tuple[str, ...]] = []
        self.unavailable = False

    def get_token(self, *scopes: str, **options: object) -> AccessToken:
        self.asked.append(scopes)
        if self.unavailable:
            raise ClientAuthenticationError("the identity endpoint is unavailable: secret words")
        now = int(time.time())
        claims: dict[str, object] = {
            "aud": self.audience,
            "iss": "https://sts.windows.net/tenant/",
            "ver": "1.0",
        }
        claims |= {"iat": now - 60, "nbf": now - 60, "exp": now + HOUR}
        return AccessToken(
            jwt.encode(claims, "nobody checks this signature here", "HS256"), now + HOUR
        )


@pytest.fixture(scope="module")
def uris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceUris]:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(str(folder / "cert.pem"), append=True)
    secured = ("--oauth", "basic", "--cert", str(folder / "cert.pem"))
    try:
        azurite, child = start_azurite(None, *secured, "--key", str(folder / "key.pem"))
    except NoAzurite as error:
        pytest.skip(f"no Azurite: {error}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(folder / "ca.pem"))
        yield ServiceUris(
            *(
                f"https://127.0.0.1:{port}/{ACCOUNT}"
                for port in (azurite.blob_port, azurite.queue_port, azurite.table_port)
            )
        )
    stop(child)


@pytest.fixture
def identity() -> Identity:
    return Identity()


@pytest.fixture
def storage(uris: ServiceUris, identity: Identity) -> Iterator[Storage]:
    storage = open_storage(uris, credential=identity)
    yield storage
    storage.close()


def test_an_identity_opens_all_three_services(storage: Storage, identity: Identity) -> None:
    storage.queue("calls").send("hello")
    (message,) = storage.queue("calls").receive(visibility=timedelta(minutes=1))
    assert message.body == "hello"
    written = storage.table("calls").insert(Entity("p", "r", {"n": 1}))
    assert storage.table("calls").get("p", "r") == written
    assert storage.log("calls").append("a", b"line\n", at=0) == 5
    assert storage.log("calls").read("a") == b"line\n"
    assert {scope for asked in identity.asked for scope in asked} == {
        "https://storage.azure.com/.default"
    }


def test_storage_is_unavailable_while_the_identity_is(storage: Storage, identity: Identity) -> None:
    identity.unavailable = True
    uses: tuple[Callable[[], object], ...] = (
        lambda: storage.table("calls").get("p", "r"),
        lambda: storage.queue("calls").send("x"),
        lambda: storage.log("calls").read("a"),
    )
    for use in uses:
        with pytest.raises(StorageUnavailable) as error:
            use()
        assert "secret words" not in str(error.value)
    identity.unavailable = False
    storage.queue("calls").send("x")
    storage.table("calls").get("p", "r")


def test_an_identity_without_the_role_is_unavailable(uris: ServiceUris) -> None:
    storage = open_storage(uris, credential=Identity("https://other.example"))
    with pytest.raises(StorageUnavailable):
        storage.table("calls").get("p", "r")
    with pytest.raises(StorageUnavailable):
        storage.log("calls").append("a", b"x", at=0)
    storage.close()
