"""The public keys that callers' tokens are signed with: fetched when needed, cached, bounded."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.auth.method import invalid_credentials
from shared.core import logs
from shared.core.clock import Clock, utc_now
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.core.json_reader import read_json
from shared.core.problems import Problem

if TYPE_CHECKING:
    import requests
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

KEYS_BYTES = 256 * 1024
SMALLEST_KEY = 2048
KEYS_ADDRESS = (
    "The address of the sign-in keys {}: check ENTRA_TENANT_ID, or ENTRA_ISSUER and ENTRA_KEYS_URL."
)
UNREACHABLE = "The address of the sign-in keys cannot be reached: check the app's outbound network."


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys by id, and when they were fetched."""

    by_id: Mapping[str, RSAPublicKey]
    fetched_at: datetime


class JwksCache:
    """The public keys at `url`, fetched when needed and cached.

    An unknown key id causes a fetch, at most one per `interval` for all callers, so a flood of
    made-up ids costs nothing; known ids never wait for it. Keys older than `fresh` are fetched
    again; if that fails they stay in use until they are `oldest`, then they are refused.
    """

    def __init__(
        self,
        session: requests.Session,
        url: str,
        *,
        timeout: timedelta = timedelta(seconds=5),
        interval: timedelta = timedelta(minutes=1),
        fresh: timedelta = timedelta(hours=12),
        oldest: timedelta = timedelta(hours=36),
        clock: Clock = utc_now,
    ) -> None:
        self.session = session
        self.url = url
        self.timeout = timeout
        self.interval = interval
        self.fresh = fresh
        self.oldest = oldest
        self.clock = clock
        self.lock = threading.Lock()
        self.keys: KeySet | None = None
        self.fetch_began_at: datetime | None = None
        self.failure = ""

    def key(self, key_id: str) -> RSAPublicKey:
        """The key with that id.

        Raises Problem invalid_credentials if there is none, sign_in_keys_unavailable if the keys
        cannot be fetched.
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
        if self.failure:
            raise self.unavailable()
        raise invalid_credentials(
            "The token is not signed with a key of the tenant.",
            check="key",
            compare="ENTRA_KEYS_URL, ENTRA_APP_KEYS",
        )

    def check_reachable(self) -> None:
        """Fetches the keys, unless they were fetched a moment ago. Raises Problem
        sign_in_keys_unavailable."""
        with self.lock:
            if self.may_fetch():
                self.fetch_keys()
        if self.failure:
            raise self.unavailable()

    def unavailable(self) -> Problem:
        return Problem("sign_in_keys_unavailable", self.failure, retry_after=self.interval)

    def cached_key(self, key_id: str, max_age: timedelta) -> RSAPublicKey | None:
        keys = self.keys
        if keys is None or self.clock() - keys.fetched_at > max_age:
            return None
        return keys.by_id.get(key_id)

    def may_fetch(self) -> bool:
        """Whether the last fetch is long enough ago; a failed one is retried sooner."""
        if self.fetch_began_at is None:
            return True
        wait = self.interval / 10 if self.failure else self.interval
        return self.clock() - self.fetch_began_at >= wait

    def fetch_keys(self) -> None:
        """Fetches the keys; keeps the old ones if that fails. Call it with the lock held."""
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
            self.failure = ""
        except KeysRefused as refused:
            self.failure = KEYS_ADDRESS.format(f"answered {refused.status}")
        except ValueError:
            self.failure = KEYS_ADDRESS.format("has no keys")
        except Exception:
            # Whatever the library makes of an odd answer.
            self.failure = UNREACHABLE
        if self.failure:
            logs.event("sign-in keys unavailable", reason=self.failure)


class KeysRefused(ValueError):
    """The address of the keys answered with another status than 200."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__("not a key set")


def read_key_document(response: requests.Response) -> Any:
    """The JSON in a 200. Raises KeysRefused for another status, and ValueError for anything else,
    such as a compressed body, whose size says nothing of what it holds."""
    if response.status_code != 200:
        raise KeysRefused(response.status_code)
    if "Content-Encoding" in response.headers:
        raise ValueError("not a key set")
    content = response.content
    if len(content) > KEYS_BYTES:
        raise ValueError("a key set of that size is none")
    return read_json(content)


def parse_key_set(document: Any) -> dict[str, RSAPublicKey]:
    """The RSA signing keys of a JSON Web Key Set, by id. Raises ValueError if there are none."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from jwt.algorithms import RSAAlgorithm

    entries = document.get("keys") if isinstance(document, dict) else None
    found: dict[str, RSAPublicKey] = {}
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or entry.get("kty") != "RSA":
            continue
        if entry.get("use", "sig") != "sig" or not isinstance(entry.get("kid"), str):
            continue
        if "d" in entry:
            # A private key, which anybody can sign with.
            continue
        try:
            key = RSAAlgorithm.from_jwk(entry)
        except Exception:  # noqa: S112
            # Whatever the library makes of an odd member: the other keys count all the same.
            continue
        if isinstance(key, RSAPublicKey) and key.key_size >= SMALLEST_KEY:
            found[entry["kid"]] = key
    if not found:
        raise ValueError("no signing keys")
    return found
