"""Callers with a Microsoft Entra access token for this broker as an API.

The token is in `X-Caller-Token` or in `Authorization`; the former wins because Static Web Apps puts
a token of its own into the latter. Checked are the signature (RS256 only, with the tenant's
published keys), issuer (v1 and v2 tokens), tenant, audience, times, and that the token was issued
for the scope or the app role that the broker asks for: an ID token has neither.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.auth.caller import Caller, CallerIds
from shared.auth.method import invalid_credentials
from shared.core.clock import Clock, utc_now
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.core.json_reader import read_json
from shared.core.problems import Problem

if TYPE_CHECKING:
    import requests
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

AUTHORITY = "https://login.microsoftonline.com"
V1_ISSUER = "https://sts.windows.net"
LATEST_TIME = 1e11
"""In seconds: the year 5138."""
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
    """The public keys of one tenant, fetched when needed and cached.

    An unknown key id causes a fetch, at most one per `interval` for all callers, so a flood of
    made-up ids costs nothing; known ids never wait for it. Keys older than `fresh` are fetched
    again; if that fails they stay in use until they are `oldest`, then they are refused.
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
        self.fetch_began_at: datetime | None = None
        self.failed = False

    def key(self, key_id: str) -> RSAPublicKey:
        """The key with that id.

        Raises Problem invalid_credentials if the tenant has none, sign_in_keys_unavailable if the
        tenant's keys cannot be fetched.
        """
        found = self.cached_key(key_id, self.fresh)
        if found is None:
            with self.lock:
                found = self.cached_key(key_id, self.fresh)
                if found is None and self.may_fetch():
                    self.fetch_keys()
        found = found or self.cached_key(key_id, self.oldest)
        if found is not None:
            return found
        if self.failed:
            raise Problem("sign_in_keys_unavailable", retry_after=self.interval)
        raise invalid_credentials("The token is not signed with a key of the tenant.")

    def cached_key(self, key_id: str, max_age: timedelta) -> RSAPublicKey | None:
        keys = self.keys
        if keys is None or self.clock() - keys.fetched_at > max_age:
            return None
        return keys.by_id.get(key_id)

    def may_fetch(self) -> bool:
        """Whether the last fetch is long enough ago; a failed one is retried sooner."""
        if self.fetch_began_at is None:
            return True
        wait = self.interval / 10 if self.failed else self.interval
        return self.clock() - self.fetch_began_at >= wait

    def fetch_keys(self) -> None:
        """Fetches the keys; keeps the old ones if that fails. Call it with the lock held."""
        import requests

        self.fetch_began_at = self.clock()
        try:
            with exchange_terms(Deadline.after(self.timeout), most_bytes=KEYS_BYTES):
                response = self.session.get(
                    self.url,
                    headers={"Accept-Encoding": "identity"},
                    timeout=self.timeout.total_seconds(),
                    allow_redirects=False,
                    stream=True,
                )
                with contextlib.closing(response):
                    document = read_key_document(response)
            self.keys = KeySet(parse_key_set(document), self.clock())
            self.failed = False
        except (requests.RequestException, OSError, ValueError):
            self.failed = True


def read_key_document(response: requests.Response) -> Any:
    """The JSON in a 200. Raises ValueError for anything else, such as a compressed body, whose size
    says nothing of what it holds."""
    if response.status_code != 200 or "Content-Encoding" in response.headers:
        raise ValueError("not a key set")
    content = response.content
    if len(content) > KEYS_BYTES:
        raise ValueError("a key set of that size is none")
    return read_json(content)


def parse_key_set(document: Any) -> dict[str, RSAPublicKey]:
    """The RSA signing keys of a JSON Web Key Set, by id. Raises ValueError if there are none."""
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
        raise ValueError("no signing keys")
    return found


@dataclass(frozen=True, slots=True)
class Entra:
    """Authenticates the callers of one tenant.

    `audience` is the broker's own application id, `api://…` or bare (v2 tokens carry it bare);
    `scope` is the delegated scope or app role that a token must have been issued for.
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

    def recognise_caller(self, headers: Mapping[str, str], ids: CallerIds) -> Caller | None:
        token = headers.get("x-caller-token")
        if token is None:
            scheme, _, token = headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                return None
        claims = self.verify_token(token.strip())
        user = claims.get("oid")
        if not isinstance(user, str) or not user:
            raise invalid_credentials("The token has no user id.")
        roles = names_in_claim(claims.get("roles"))
        if self.scope not in roles and self.scope not in names_in_claim(claims.get("scp")):
            raise invalid_credentials("The token was not issued for this broker's scope.")
        return ids.caller("entra", f"entra:{self.tenant}", user, roles)

    def verify_token(self, token: str) -> dict[str, Any]:
        """The claims of a valid token. Raises Problem."""
        import jwt

        if not 0 < len(token) <= TOKEN_CHARACTERS:
            raise invalid_credentials("The token is empty or too long.")
        try:
            header = jwt.get_unverified_header(token)
            key_id = header.get("kid")
            if header.get("alg") != "RS256" or not isinstance(key_id, str):
                raise invalid_credentials("The token is not signed the way Entra signs.")
            claims: dict[str, Any] = jwt.decode(
                token,
                self.keys.key(key_id),
                algorithms=["RS256"],
                audience=self.audiences,
                issuer=[f"{self.authority}/{self.tenant}/v2.0", f"{V1_ISSUER}/{self.tenant}/"],
                leeway=self.leeway,
                options={
                    "require": ["exp", "nbf", "iss", "aud", "oid", "tid"],
                    # Checked below, against the injected clock.
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise invalid_credentials(
                "The token is not valid: signature, issuer or audience."
            ) from error
        if claims["tid"] != self.tenant:
            raise invalid_credentials("The token is from another tenant.")
        self.check_times(claims)
        return claims

    def check_times(self, claims: Mapping[str, Any]) -> None:
        """Raises Problem invalid_credentials if the token is not valid now."""
        now, leeway = self.keys.clock().timestamp(), self.leeway.total_seconds()
        starts, ends = claims["nbf"], claims["exp"]
        if not all(type(t) in (int, float) and abs(t) < LATEST_TIME for t in (starts, ends)):
            raise invalid_credentials("The token's times are not numbers.")
        if not now < ends + leeway:
            raise invalid_credentials("The token has expired.")
        if not starts - leeway <= now:
            raise invalid_credentials("The token is not valid yet.")

    @property
    def audiences(self) -> list[str]:
        """The audience in both spellings: v1 tokens have `api://id`, v2 tokens `id`."""
        bare = self.audience.removeprefix("api://")
        return [self.audience, bare, f"api://{bare}"]


def names_in_claim(claim: Any) -> frozenset[str]:
    """The names in `scp` (separated by spaces) or `roles` (a list)."""
    names = claim.split() if isinstance(claim, str) else claim
    if not isinstance(names, list):
        return frozenset()
    return frozenset(name for name in names if isinstance(name, str))
