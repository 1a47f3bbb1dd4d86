"""Entra tokens: what makes one valid, and where the tenant's keys come from."""

from __future__ import annotations

import base64
import io
import json
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm
from requests.adapters import BaseAdapter

from shared.auth.anonymous import Anonymous
from shared.auth.authenticator import Authenticator
from shared.auth.entra import Entra, Issuer
from shared.auth.signing_keys import JwksCache
from shared.core.problems import Problem
from shared.credentials.broker_secret import FixedSecret
from tests.support.at_once import at_once

SECRET = "first secret of the broker, 32 bytes and more"
TENANT = "8a6b3f0e-0000-4000-8000-00000000000a"
AUDIENCE = "api://3c1d-broker"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
V2 = f"https://login.microsoftonline.com/{TENANT}/v2.0"
V1 = f"https://sts.windows.net/{TENANT}/"
KEYS = f"https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys"


@cache
def private(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024 if name == "weak" else 2048)


def public(name: str, **members: Any) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(private(name).public_key()))
    return entry | {"kid": name, "use": "sig"} | members


class Tenant(BaseAdapter):
    """Answers as the tenant's key endpoint does."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.document: Any = {"keys": [public(name) for name in names or ("one",)]}
        self.status = 200
        self.away = False
        self.fetches = 0
        self.now = NOW

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: object = None,
        verify: bool | str = True,
        cert: object = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        assert (request.method, request.url) == ("GET", KEYS)
        assert isinstance(timeout, float)
        assert timeout > 0
        self.fetches += 1
        if self.away:
            raise requests.ConnectionError("away")
        response = requests.Response()
        response.status_code = self.status
        document = self.document
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        response.raw = io.BytesIO(body)
        return response

    def close(self) -> None: ...

    def session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", self)
        return session

    def callers(self, *others: Any) -> Authenticator:
        keys = JwksCache(self.session(), KEYS, clock=lambda: self.now)
        issuers = [Issuer(V2, keys, TENANT), Issuer(V1, keys, TENANT)]
        entra = Entra(issuers, [AUDIENCE], "calls.start", clock=lambda: self.now)
        return Authenticator([entra, *others], FixedSecret([SECRET]))


def claims(**changes: Any) -> dict[str, Any]:
    given = {
        "iss": V2,
        "aud": AUDIENCE,
        "tid": TENANT,
        "oid": "0c5b-ada",
        "sub": "pairwise",
        "azp": "3c1d-client",
        "scp": "profile calls.start",
        "iat": int(NOW.timestamp()),
        "nbf": int(NOW.timestamp()),
        "exp": int((NOW + timedelta(hours=1)).timestamp()),
    } | changes
    return {name: value for name, value in given.items() if value is not None}


def token(key: str = "one", kid: str | None = None, **changes: Any) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyJWT warns of the weak key, which is weak on purpose
        return jwt.encode(
            claims(**changes), private(key), algorithm="RS256", headers={"kid": kid or key}
        )


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def refusal(callers: Authenticator, headers: dict[str, str]) -> Problem:
    with pytest.raises(Problem) as problem:
        callers.authenticate(headers)
    return problem.value


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="v2"),
        pytest.param({"aud": "3c1d-broker"}, id="v2, bare audience"),
        pytest.param({"iss": V1}, id="v1"),
        pytest.param({"scp": None, "roles": ["calls.start"]}, id="an app's role"),
        pytest.param(
            {"iss": V1, "scp": None, "roles": ["calls.start"], "azp": None, "appid": "x"},
            id="an app's role, v1",
        ),
        pytest.param({"azp": None, "nonce": "x"}, id="a delegated scope, whatever else it has"),
        pytest.param({"exp": int(NOW.timestamp()) - 30}, id="expired within the leeway"),
        pytest.param({"nbf": int(NOW.timestamp()) + 30}, id="early within the leeway"),
    ],
)
def test_a_valid_token(changes: dict[str, Any]) -> None:
    caller = Tenant().callers().authenticate(bearer(token(**changes)))
    assert caller.kind == "entra"
    assert len(caller.id) == 32
    assert "ada" not in repr(caller)


def test_one_person_has_one_id_and_the_roles_of_the_token() -> None:
    callers = Tenant().callers()
    one = callers.authenticate(bearer(token(roles=["admin"], sub="other", iss=V1)))
    assert one.id == callers.authenticate(bearer(token())).id
    assert one.roles == {"admin"}
    assert callers.authenticate(bearer(token(oid="bob"))).id != one.id


def unsigned(**header: Any) -> str:
    parts = [json.dumps(part).encode() for part in ({"typ": "JWT", **header}, claims())]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def signed_with_the_public_key() -> str:
    """HS256 with the text of the public key as the secret: the classic algorithm confusion."""
    import hashlib
    import hmac

    head = unsigned(alg="HS256", kid="one").rstrip(".")
    pem = json.dumps(public("one")).encode()
    signature = hmac.digest(pem, head.encode(), hashlib.sha256)
    return f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def other_signature() -> str:
    head, body, _ = token().split(".")
    return f"{head}.{body}.{token(oid='bob').split('.')[2]}"


REFUSED = {
    "alg none": unsigned(alg="none", kid="one"),
    "alg None": unsigned(alg="None", kid="one"),
    "no alg": unsigned(kid="one"),
    "HS256 with the public key": signed_with_the_public_key(),
    "ES256": jwt.encode(
        claims(), ec.generate_private_key(ec.SECP256R1()), "ES256", headers={"kid": "one"}
    ),
    "RS512": jwt.encode(claims(), private("one"), "RS512", headers={"kid": "one"}),
    "another's key under our key's id": token("other", "one"),
    "a key the tenant does not have": token("other"),
    "no key id": jwt.encode(claims(), private("one"), "RS256"),
    "the signature of another token": other_signature(),
    "no signature": token().rpartition(".")[0] + ".",
    "another audience": token(aud="api://other"),
    "a longer audience": token(aud=AUDIENCE + "x"),
    "no audience": token(aud=None),
    "another issuer": token(iss="https://evil.example/"),
    "another tenant's issuer": token(iss=V2.replace(TENANT, "other")),
    "the common issuer": token(iss=V2.replace(TENANT, "common")),
    "another tenant": token(tid="other"),
    "no tenant": token(tid=None),
    "expired": token(exp=int(NOW.timestamp()) - 61),
    "no expiry": token(exp=None),
    "an expiry that is no number": token(exp="never"),
    "an expiry that is true": token(exp=True),
    "an expiry that no clock has": token(exp=10**400),
    "an expiry that never comes": token(exp=float("inf")),
    "an expiry that is not a number": token(exp=float("nan")),
    "a not-before that no clock has": token(nbf=-(10**400)),
    "a not-before that always was": token(nbf=float("-inf")),
    "not yet valid": token(nbf=int(NOW.timestamp()) + 61),
    "no not-before": token(nbf=None),
    "nobody": token(oid=None),
    "an empty name": token(oid=""),
    "no scope": token(scp=None),
    "another scope": token(scp="calls.read calls.start.not"),
    "a scope that is no text": token(scp={"calls.start": 1}),
    "an ID token": token(scp=None, nonce="x"),
    "an ID token with app roles": token(scp=None, azp=None, roles=["calls.start"]),
    "one with a nonce": token(scp=None, azp=None, roles=["calls.start"], nonce="x", name="Ada"),
    "one with an access token's hash": token(scp=None, roles=["calls.start"], at_hash="x"),
    "one with a code's hash": token(scp=None, roles=["calls.start"], c_hash="x"),
    "one of v1": token(scp=None, azp=None, iss=V1, roles=["calls.start"], ver="1.0", amr=["pwd"]),
    "one whose client is no text": token(scp=None, azp=7, roles=["calls.start"]),
    "an empty scope": token(scp="", azp=None, roles=["calls.start"]),
    "empty": "",
    "nonsense": "nonsense",
    "dots": "...",
    "oversize": "x" * 20_000,
    "not ascii": "ü.ü.ü",
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_invalid_token_is_refused_whatever_method_comes_next(name: str) -> None:
    problem = refusal(Tenant().callers(Anonymous()), bearer(REFUSED[name]))
    assert (problem.code, problem.status) == ("invalid_credentials", 401)
    assert problem.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


@settings(deadline=None)
@given(st.text())
def test_whatever_is_sent_is_refused_and_nothing_breaks(text: str) -> None:
    problem = refusal(Tenant().callers(), {"x-caller-token": text})
    assert problem.code == "invalid_credentials"


def test_the_callers_own_header_comes_before_the_one_that_static_web_apps_replaces() -> None:
    callers = Tenant().callers()
    both = bearer("the platform's") | {"x-caller-token": token()}
    assert callers.authenticate(both).kind == "entra"
    assert refusal(callers, bearer(token()) | {"x-caller-token": "x"}).status == 401


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic YTpi"}, {"authorization": ""}])
def test_without_a_bearer_the_next_method_decides(headers: dict[str, str]) -> None:
    assert Tenant().callers(Anonymous()).authenticate(headers).kind == "anonymous"
    problem = refusal(Tenant().callers(), headers)
    assert problem.code == "sign_in_required"
    assert problem.headers["WWW-Authenticate"] == "Bearer"


def test_the_keys_are_fetched_once() -> None:
    tenant = Tenant()
    callers = tenant.callers()
    for _ in range(5):
        callers.authenticate(bearer(token()))
    assert tenant.fetches == 1


def test_a_new_key_is_found_and_a_flood_of_unknown_ids_costs_one_fetch() -> None:
    tenant = Tenant("one")
    callers = tenant.callers()
    callers.authenticate(bearer(token()))
    tenant.document = {"keys": [public("one"), public("two")]}
    assert refusal(callers, bearer(token("two"))).status == 401
    tenant.now += timedelta(minutes=1)
    assert callers.authenticate(bearer(token("two"))).kind == "entra"
    for number in range(20):
        assert refusal(callers, bearer(token("other", f"made-up-{number}"))).status == 401
    assert tenant.fetches == 2
    callers.authenticate(bearer(token("one")))


def test_many_first_callers_share_one_fetch() -> None:
    tenant = Tenant()
    callers = tenant.callers()
    text = token()
    known = at_once(8, lambda _: callers.authenticate(bearer(text)).kind)
    assert known == ["entra"] * 8
    assert tenant.fetches == 1


@pytest.mark.parametrize(
    "document",
    [b"", b"<html>", {}, {"keys": []}, {"keys": [7, {"kty": "EC"}]}, [], b"x" * 300_000],
    ids=str,
)
def test_a_tenant_without_readable_keys_is_unavailable(document: Any) -> None:
    tenant = Tenant()
    tenant.document = document
    problem = refusal(tenant.callers(), bearer(token()))
    assert (problem.code, problem.status) == ("sign_in_keys_unavailable", 503)
    assert int(problem.headers["Retry-After"]) > 0


def test_small_keys_and_encryption_keys_are_ignored() -> None:
    tenant = Tenant()
    tenant.document = {"keys": [public("weak"), public("two", use="enc"), public("one")]}
    callers = tenant.callers()
    callers.authenticate(bearer(token("one")))
    assert refusal(callers, bearer(token("weak"))).code == "invalid_credentials"
    assert refusal(callers, bearer(token("two"))).code == "invalid_credentials"


def test_known_keys_are_used_while_the_tenant_is_unavailable() -> None:
    tenant = Tenant()
    callers = tenant.callers()
    tenant.away = True
    assert refusal(callers, bearer(token())).status == 503
    tenant.away = False
    tenant.now += timedelta(seconds=6)
    callers.authenticate(bearer(token()))
    tenant.away = True
    tenant.now += timedelta(hours=13)
    later = token(nbf=int(tenant.now.timestamp()), exp=int(tenant.now.timestamp()) + 600)
    callers.authenticate(bearer(later))
    assert tenant.fetches == 3
    tenant.now += timedelta(hours=24)
    last = token(nbf=int(tenant.now.timestamp()), exp=int(tenant.now.timestamp()) + 600)
    assert refusal(callers, bearer(last)).code == "sign_in_keys_unavailable"
    tenant.away = False
    tenant.now += timedelta(seconds=6)
    callers.authenticate(bearer(last))


@pytest.mark.parametrize("missing", ["issuer", "audience", "scope"])
def test_an_incomplete_entra_setup_is_an_error(missing: str) -> None:
    issuer = Issuer(V2, JwksCache(requests.Session(), KEYS), TENANT)
    with pytest.raises(ValueError, match="Entra"):
        Entra(
            [] if missing == "issuer" else [issuer],
            [] if missing == "audience" else [AUDIENCE],
            "" if missing == "scope" else "calls.start",
        )
