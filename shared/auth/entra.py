"""Callers with a bearer token of Microsoft Entra, for this broker as an API.

The token is in `X-Caller-Token`, or in `Authorization`; the former comes first because Static Web
Apps puts a token of its own into the latter. Checked are the signature (RS256 and nothing else, by
the tenant's published keys), issuer (v1 and v2 tokens), tenant, audience, times, and that the token
was given for the scope or the app role that the broker asks for: an ID token has neither.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.auth.method import Identity, invalid
from shared.core.clock import Clock, utc_now
from shared.core.problems import Problem

if TYPE_CHECKING:
    import requests
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

AUTHORITY = "https://login.microsoftonline.com"
V1_ISSUER = "https://sts.windows.net"
TOKEN_CHARACTERS = 16 * 1024
KEYS_BYTES = 256 * 1024
SMALLEST_KEY = 2048
LEEWAY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The tenant's keys by id, and when they were fetched."""

    by_id: Mapping[str, RSAPublicKey]
    fetched_at: datetime


class JwksCache:
    """The public keys of one tenant, fetched when needed and kept.

    A key id that is not among them makes one more fetch, at most one per `interval` whoever asks,
    so a flood of made-up ids costs nothing; known ids never wait for it. Keys older than `fresh`
    are fetched anew; if that fails they are used on until they are `oldest`, then refused.
    """

    def __init__(
        self,
        session: requests.Session,
        tenant: str,
        *,
        authority: str = AUTHORITY,
        timeout: timedelta = timedelta(seconds=5),
        interval: timedelta = timedelta(minutes=1),
        fresh: timedelta = timedelta(hours=12),
        oldest: timedelta = timedelta(hours=36),
        clock: Clock = utc_now,
    ) -> None:
        self.session = session
        self.url = f"{authority}/{tenant}/discovery/v2.0/keys"
        self.timeout = timeout
        self.interval = interval
        self.fresh = fresh
        self.oldest = oldest
        self.clock = clock
        self.lock = threading.Lock()
        self.keys: KeySet | None = None
        self.asked_at: datetime | None = None
        self.failed = False

    def key(self, key_id: str) -> RSAPublicKey:
        """The key of that id.

        Raises Problem invalid_credentials if the tenant has none, sign_in_keys_unavailable if the
        tenant's keys cannot be had.
        """
        found = self.known(key_id, self.fresh)
        if found is None:
            with self.lock:
                found = self.known(key_id, self.fresh)
                if found is None and self.may_ask():
                    self.ask()
        found = found or self.known(key_id, self.oldest)
        if found is not None:
            return found
        if self.failed:
            raise Problem("sign_in_keys_unavailable", retry_after=self.interval)
        raise invalid("The token is signed by no key of the tenant.")

    def known(self, key_id: str, age: timedelta) -> RSAPublicKey | None:
        keys = self.keys
        if keys is None or self.clock() - keys.fetched_at > age:
            return None
        return keys.by_id.get(key_id)

    def may_ask(self) -> bool:
        """Whether the last fetch is long enough ago; one that failed is repeated sooner."""
        if self.asked_at is None:
            return True
        wait = self.interval / 10 if self.failed else self.interval
        return self.clock() - self.asked_at >= wait

    def ask(self) -> None:
        """Fetches the keys; leaves the old ones if that fails. The lock is held."""
        import requests

        self.asked_at = self.clock()
        try:
            response = self.session.get(
                self.url, timeout=self.timeout.total_seconds(), allow_redirects=False
            )
            if response.status_code != 200 or len(response.content) > KEYS_BYTES:
                raise ValueError("not the keys")
            self.keys = KeySet(read_keys(json.loads(response.content)), self.clock())
            self.failed = False
        except (requests.RequestException, ValueError):
            self.failed = True


def read_keys(document: Any) -> dict[str, RSAPublicKey]:
    """The RSA signing keys of a JSON Web Key Set by id. Raises ValueError if there is none."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from jwt.algorithms import RSAAlgorithm
    from jwt.exceptions import InvalidKeyError

    entries = document.get("keys") if isinstance(document, dict) else None
    found: dict[str, RSAPublicKey] = {}
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or entry.get("kty") != "RSA":
            continue
        if entry.get("use", "sig") != "sig" or not isinstance(entry.get("kid"), str):
            continue
        try:
            key = RSAAlgorithm.from_jwk(entry)
        except (InvalidKeyError, ValueError):
            continue
        if isinstance(key, RSAPublicKey) and key.key_size >= SMALLEST_KEY:
            found[entry["kid"]] = key
    if not found:
        raise ValueError("no keys")
    return found


@dataclass(frozen=True, slots=True)
class Entra:
    """Recognises the callers of one tenant.

    `audience` is the broker's own application id, `api://…` or bare (v2 tokens carry it bare), and
    `scope` the delegated scope or app role that a token must have been given for.
    """

    keys: JwksCache
    tenant: str
    audience: str
    scope: str
    authority: str = AUTHORITY
    leeway: timedelta = LEEWAY
    challenge: str = field(default="Bearer", init=False)

    def __post_init__(self) -> None:
        if not (self.tenant and self.audience and self.scope):
            raise ValueError("Entra needs a tenant, an audience and a scope")

    def recognise(self, headers: Mapping[str, str]) -> Identity | None:
        token = headers.get("x-caller-token")
        if token is None:
            scheme, _, token = headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                return None
        claims = self.verified(token.strip())
        user = claims.get("oid")
        if not isinstance(user, str) or not user:
            raise invalid("The token names nobody.")
        roles = granted(claims.get("roles"))
        if self.scope not in roles and self.scope not in granted(claims.get("scp")):
            raise invalid("The token was not given for this broker's scope.")
        return Identity("entra", f"entra:{self.tenant}", user, roles)

    def verified(self, token: str) -> dict[str, Any]:
        """The claims of a token that holds. Raises Problem."""
        import jwt

        if not 0 < len(token) <= TOKEN_CHARACTERS:
            raise invalid("The token has no sensible length.")
        try:
            header = jwt.get_unverified_header(token)
            key_id = header.get("kid")
            if header.get("alg") != "RS256" or not isinstance(key_id, str):
                raise invalid("The token is not signed as Entra signs.")
            claims: dict[str, Any] = jwt.decode(
                token,
                self.keys.key(key_id),
                algorithms=["RS256"],
                audience=self.audiences,
                issuer=[f"{self.authority}/{self.tenant}/v2.0", f"{V1_ISSUER}/{self.tenant}/"],
                leeway=self.leeway,
                options={
                    "require": ["exp", "nbf", "iss", "aud", "oid", "tid"],
                    # Judged below by the clock that was handed in.
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise invalid("The token does not hold: signature, issuer or audience.") from error
        if claims["tid"] != self.tenant:
            raise invalid("The token is of another tenant.")
        self.check_times(claims)
        return claims

    def check_times(self, claims: Mapping[str, Any]) -> None:
        """Raises Problem if the token is not valid now."""
        now, leeway = self.keys.clock().timestamp(), self.leeway.total_seconds()
        starts, ends = claims["nbf"], claims["exp"]
        if not all(type(moment) in (int, float) for moment in (starts, ends)):
            raise invalid("The token's times are not numbers.")
        if not now < ends + leeway:
            raise invalid("The token has expired.")
        if not starts - leeway <= now:
            raise invalid("The token is not valid yet.")

    @property
    def audiences(self) -> list[str]:
        """The audience in both of its spellings: v1 tokens say `api://id`, v2 tokens `id`."""
        bare = self.audience.removeprefix("api://")
        return [self.audience, bare, f"api://{bare}"]


def granted(claim: Any) -> frozenset[str]:
    """The names in `scp` (a text with blanks) or `roles` (a list)."""
    names = claim.split() if isinstance(claim, str) else claim
    if not isinstance(names, list):
        return frozenset()
    return frozenset(name for name in names if isinstance(name, str))
