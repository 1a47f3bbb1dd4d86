"""Whose tokens are accepted, as the settings say, and what the log says of those that are not."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from requests.adapters import BaseAdapter

from shared.auth import factory
from shared.auth.authenticator import Authenticator
from shared.auth.caller import Caller
from shared.config.settings_loader import load_settings
from shared.core.problems import Problem
from shared.credentials.broker_secret import FixedSecret

ROOT = Path(__file__).resolve().parents[3]
REPORTED = json.loads((ROOT / "tests/fixtures/cases/entra.json").read_text(encoding="utf-8"))
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ONE, TWO = "7a797836-d1e3-4249-a68d-f2cb8e4f58a5", "8a6b3f0e-1111-4000-8000-00000000000a"
APP = "84846a08-b110-44f0-92af-a353b2e94d30"
PUBLIC = "https://login.microsoftonline.com"
B2C = f"https://contoso.b2clogin.com/{ONE}/v2.0/"
B2C_KEYS = "https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_SiUpIn/discovery/v2.0/keys"
EXTERNAL = f"https://{ONE}.ciamlogin.com/{ONE}/v2.0"
USUAL = {
    "REALTIME_ENDPOINT": "https://demo.openai.azure.com",
    "REALTIME_MODEL": "m",
    "CALLER_AUTH": "entra",
    "ENTRA_TENANT_ID": ONE,
    "ENTRA_AUDIENCE": APP,
    "ENTRA_REQUIRED_SCOPE": "call",
}


@cache
def private(url: str) -> rsa.RSAPrivateKey:
    """The key that is published at a URL: each has its own."""
    return rsa.generate_private_key(65537, 2048)


class Publishers(BaseAdapter):
    """Serves one key at every address, and lists who was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        url = str(request.url)
        self.asked.append(url)
        entry = json.loads(RSAAlgorithm.to_jwk(private(url).public_key()))
        response = requests.Response()
        response.status_code = 404 if "missing" in url else 200
        response.raw = io.BytesIO(json.dumps({"keys": [entry | {"kid": "k"}]}).encode())
        return response

    def close(self) -> None: ...


@pytest.fixture
def publishers(monkeypatch: pytest.MonkeyPatch) -> Publishers:
    served = Publishers()

    def open_session(_: str) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", served)
        return session

    monkeypatch.setattr(factory, "open_session", open_session)
    return served


def authenticate(claims: Mapping[str, Any], keys: str, **env: str) -> Caller:
    """The caller of a token with these claims, signed with the key that is published at `keys`."""
    settings = load_settings({**USUAL, **env}, ROOT)
    methods = factory.authentication_methods(settings.callers, {}, lambda: NOW)
    times = {"nbf": int(NOW.timestamp()), "exp": int((NOW + timedelta(hours=1)).timestamp())}
    usual = {**times, "aud": APP, "azp": "client", "scp": "call"}
    given = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    text = jwt.encode(given, private(keys), algorithm="RS256", headers={"kid": "k"})
    secret = FixedSecret(["a secret of the broker: 32 bytes or more"])
    return Authenticator(methods, secret).authenticate({"x-caller-token": text})


def entra(tenant: str, **claims: Any) -> dict[str, Any]:
    return {"iss": f"{PUBLIC}/{tenant}/v2.0", "tid": tenant, "oid": "ada", **claims}


def keys_of(tenant: str, authority: str = PUBLIC) -> str:
    return f"{authority}/{tenant}/discovery/v2.0/keys"


def test_only_the_first_tenant_has_admins(publishers: Publishers) -> None:
    """In any other its own administrators assign the roles."""
    for tenant, expected in ((ONE, {"admin", "call"}), (TWO, {"call"})):
        claims = entra(tenant, roles=["admin", "call"])
        caller = authenticate(claims, keys_of(tenant), ENTRA_TENANT_ID=f"{ONE},{TWO}")
        assert caller.roles == expected


def test_each_tenant_of_a_list_has_its_own_keys_and_users(publishers: Publishers) -> None:
    both = f"{ONE},{TWO.upper()}"
    ada = authenticate(entra(ONE), keys_of(ONE), ENTRA_TENANT_ID=both)
    other = authenticate(entra(TWO), keys_of(TWO), ENTRA_TENANT_ID=both)
    assert ada.id != other.id
    assert ada.id == authenticate(entra(ONE), keys_of(ONE)).id, "the list changes nobody's id"
    assert publishers.asked == [keys_of(ONE), keys_of(TWO), keys_of(ONE)]


@pytest.mark.usefixtures("publishers")
@pytest.mark.parametrize(
    ("claims", "keys"),
    [
        pytest.param(entra(TWO), keys_of(TWO), id="a tenant that is not listed"),
        pytest.param(entra(ONE), keys_of(TWO), id="another tenant's key"),
        pytest.param(entra(ONE, tid=TWO), keys_of(ONE), id="another tenant within"),
        pytest.param(entra(ONE, oid=None, sub="ada"), keys_of(ONE), id="no object id"),
        pytest.param({"iss": B2C, "sub": "ada"}, B2C_KEYS, id="B2C"),
        pytest.param(
            {"iss": f"https://login.microsoftonline.us/{ONE}/v2.0", "tid": ONE, "oid": "ada"},
            keys_of(ONE, "https://login.microsoftonline.us"),
            id="another cloud's",
        ),
    ],
)
def test_a_token_of_somebody_else_is_refused(claims: dict[str, Any], keys: str) -> None:
    with pytest.raises(Problem, match="invalid_credentials"):
        authenticate(claims, keys)


def test_a_managed_identitys_v1_token(publishers: Publishers) -> None:
    claims = REPORTED["managed_identity_v1"]["claims"]
    tenant = claims["iss"].split("/")[3]
    began = int(NOW.timestamp())
    moments = {name: claims[name] - claims["nbf"] + began for name in ("iat", "nbf", "exp")}
    more = {"appid": "c", "azp": None, "scp": None, "roles": ["call"], "oid": "app", "tid": tenant}
    caller = authenticate(
        claims | moments | more,
        keys_of(tenant),
        ENTRA_TENANT_ID=tenant,
        ENTRA_AUDIENCE=claims["aud"],
    )
    assert caller.roles == {"call"}
    assert publishers.asked == [keys_of(tenant)]


@pytest.mark.usefixtures("publishers")
@pytest.mark.parametrize(
    ("endpoint", "authority", "v1"),
    [
        ("https://d.openai.azure.us", "https://login.microsoftonline.us", "sts.windows.net"),
        (
            "https://d.openai.azure.cn",
            "https://login.partner.microsoftonline.cn",
            "sts.chinacloudapi.cn",
        ),
    ],
)
def test_the_tenants_of_other_clouds(endpoint: str, authority: str, v1: str) -> None:
    keys = keys_of(ONE, authority)
    of_v2 = entra(ONE, iss=f"{authority}/{ONE}/v2.0")
    of_v1 = entra(ONE, iss=f"https://{v1}/{ONE}/")
    ids = {authenticate(each, keys, REALTIME_ENDPOINT=endpoint).id for each in (of_v1, of_v2)}
    assert len(ids) == 1
    with pytest.raises(Problem, match="invalid_credentials"):
        authenticate(entra(ONE), keys_of(ONE), REALTIME_ENDPOINT=endpoint)


@pytest.mark.usefixtures("publishers")
def test_b2c_names_its_users_in_sub() -> None:
    setup = {"ENTRA_TENANT_ID": "", "ENTRA_ISSUER": B2C, "ENTRA_KEYS_URL": B2C_KEYS}
    token = {"iss": B2C, "sub": "ada", "tfp": "B2C_1_SiUpIn"}
    ada = authenticate(token, B2C_KEYS, **setup)
    assert ada.id != authenticate({**token, "sub": "bob"}, B2C_KEYS, **setup).id
    bare = {**setup, "ENTRA_ISSUER": B2C.rstrip("/")}
    assert authenticate(token, B2C_KEYS, **bare).id == ada.id, "a closing slash more or less"
    for wrong in ({"sub": None}, {"sub": ""}, {"scp": None, "azp": None}, {"aud": "other"}):
        with pytest.raises(Problem, match="invalid_credentials"):
            authenticate({**token, **wrong}, B2C_KEYS, **setup)


@pytest.mark.usefixtures("publishers")
@pytest.mark.parametrize(
    ("tenants", "admin"), [(f"{ONE},{TWO}", True), (f"{TWO},{ONE}", False), ("", True)]
)
def test_a_token_without_a_tenant_is_of_its_issuers(tenants: str, admin: bool) -> None:
    setup = {"ENTRA_TENANT_ID": tenants, "ENTRA_ISSUER": B2C, "ENTRA_KEYS_URL": B2C_KEYS}
    token = {"iss": B2C, "sub": "ada", "roles": ["admin"]}
    assert ("admin" in authenticate(token, B2C_KEYS, **setup).roles) == admin


@pytest.mark.usefixtures("publishers")
def test_external_id_needs_no_address_of_its_keys() -> None:
    keys = f"https://{ONE}.ciamlogin.com/{ONE}/discovery/v2.0/keys"
    token = {"iss": EXTERNAL, "tid": ONE, "oid": "ada"}
    for tenant in ("", ONE):
        setup = {"ENTRA_TENANT_ID": tenant, "ENTRA_ISSUER": EXTERNAL}
        assert authenticate(token, keys, **setup).kind == "entra"
    with pytest.raises(Problem, match="invalid_credentials"):
        authenticate({**token, "tid": TWO}, keys, ENTRA_ISSUER=EXTERNAL)


def test_an_apps_own_signing_keys(publishers: Publishers) -> None:
    keys = f"{keys_of(ONE)}?appid={APP}"
    assert authenticate(entra(ONE), keys, ENTRA_APP_KEYS="on").kind == "entra"
    assert publishers.asked == [keys]
    with pytest.raises(Problem, match="invalid_credentials"):
        authenticate(entra(ONE), keys)


@pytest.mark.usefixtures("publishers")
@pytest.mark.parametrize(
    ("audience", "aud", "accepted"),
    [
        (APP, f"api://{APP}", True),
        (f"api://{APP.upper()}", APP, True),
        ("https://contoso.onmicrosoft.com/app", "https://contoso.onmicrosoft.com/app", True),
        (f"https://contoso.onmicrosoft.com/app,{APP}", APP, True),
        ("https://contoso.onmicrosoft.com/app", "https://contoso.onmicrosoft.com/app2", False),
        (APP, TWO, False),
    ],
)
def test_audiences(audience: str, aud: str, accepted: bool) -> None:
    claims = entra(ONE, aud=aud)
    if accepted:
        authenticate(claims, keys_of(ONE), ENTRA_AUDIENCE=audience)
        return
    with pytest.raises(Problem, match="invalid_credentials"):
        authenticate(claims, keys_of(ONE), ENTRA_AUDIENCE=audience)


@pytest.mark.usefixtures("publishers")
@pytest.mark.parametrize(
    ("claims", "facts"),
    [
        (entra(TWO), {"check": "issuer", "token_tenant": TWO}),
        (entra(ONE, aud=f"api://{TWO}"), {"check": "audience", "token_audience": TWO}),
        (entra(ONE, aud="x y"), {"check": "audience"}),
        (entra(ONE, tid=TWO), {"check": "tenant", "token_tenant": TWO}),
        (entra(ONE, tid=None), {"check": "claims", "missing": "tid"}),
        (entra(ONE, oid=""), {"check": "user"}),
        (entra(ONE, scp="read write"), {"check": "scope", "token_has": ["read", "write"]}),
        (entra(ONE, scp=None, azp=None, roles=["call"]), {"check": "id_token"}),
        (entra(ONE, exp=1), {"check": "expired"}),
        (entra(ONE, nbf=int(NOW.timestamp()) + 90), {"check": "not_yet_valid"}),
        (entra(ONE, exp="never"), {"check": "times"}),
    ],
)
def test_the_log_says_which_check_failed(
    claims: dict[str, Any], facts: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(Problem, match="invalid_credentials"):
        authenticate(claims, keys_of(ONE))
    (line,) = [text for text in caplog.messages if text.startswith("credentials refused ")]
    logged = json.loads(line.removeprefix("credentials refused "))
    assert facts == {name: logged.get(name) for name in facts}
    assert set(logged) <= {*facts, "compare", "token_issuer"}
    assert "ada" not in line


@pytest.mark.usefixtures("publishers")
def test_the_log_tells_a_wrong_signature_from_an_unknown_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(Problem):
        authenticate(entra(ONE), keys_of(TWO))
    assert '"check": "signature"' in caplog.text
    caplog.clear()
    with pytest.raises(Problem) as missing:
        authenticate(entra(ONE), "any", ENTRA_KEYS_URL="https://keys.example/missing/keys")
    assert missing.value.code == "sign_in_keys_unavailable"
    assert "404" in missing.value.detail
    assert "ENTRA_KEYS_URL" in missing.value.detail
    assert "sign-in keys unavailable" in caplog.text


@pytest.mark.usefixtures("publishers")
def test_no_text_of_a_tokens_own_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for claims in (
        {"iss": "https://evil.example/a b", "tid": "a\nb"},
        entra(ONE, aud="<script>"),
        entra(ONE, scp="a/b c\u0085d"),
        entra(ONE, tid=["x y"]),
    ):
        with pytest.raises(Problem):
            authenticate(claims, keys_of(ONE))
    for said in ("a b", "<script>", "a/b", "x y", "\\u0085"):
        assert said not in caplog.text
