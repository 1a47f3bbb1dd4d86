"""Callers with a Microsoft Entra access token for this broker as an API.

The token is in `X-Caller-Token` or in `Authorization`; the former wins because Static Web Apps puts
a token of its own into the latter. Checked are the issuer (v1 and v2 tokens of the tenants, or the
issuers that the settings name), the signature (RS256 only, with the keys that the issuer
publishes), tenant, audience, times, that it is an access token, and that it was issued for the
scope or the app role that the broker asks for. Which of them failed is in the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.auth.caller import Caller, CallerIds
from shared.auth.method import invalid_credentials
from shared.auth.roles import ADMIN
from shared.auth.signing_keys import JwksCache
from shared.config.clouds import host_of
from shared.core.clock import Clock, utc_now
from shared.core.logs import safe_word

TOKEN_CHARACTERS = 16 * 1024
LEEWAY = timedelta(seconds=60)
LATEST_TIME = 1e11
"""In seconds: the year 5138."""
ID_TOKEN_CLAIMS = ("nonce", "at_hash", "c_hash")
CLIENT_CLAIMS = ("azp", "appid")
"""Which client an access token was issued to, in v2 and v1: every access token says so."""
REQUIRED_CLAIMS = ["exp", "nbf", "iss", "aud"]
NOT_VALID = "The token is not valid: signature, issuer or audience."


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer of tokens. `standard`: its tokens name a tenant (`tid`), which is the issuer's own,
    and the user's object id (`oid`); others may name the user in `sub` alone (B2C)."""

    name: str
    keys: JwksCache
    tenant: str | None
    standard: bool = True

    @property
    def provider(self) -> str:
        """What keeps one issuer's users apart from another's: v1 and v2 tokens are of one."""
        return f"entra:{self.tenant or self.name}"


class Entra:
    """Authenticates callers by the tokens of `issuers`.

    `audiences` are the broker's own application ids and App ID URIs; an id counts in both
    spellings, `api://…` and bare (v2 tokens carry it bare). `scope` is the delegated scope or app
    role that a token must have been issued for. A token that names a tenant must name one of
    `tenants`, if there are any. Only callers of the first can be admins: in each of the others its
    own administrators say who has which role.
    """

    challenge = "Bearer"

    def __init__(
        self,
        issuers: Sequence[Issuer],
        audiences: Sequence[str],
        scope: str,
        *,
        tenants: Sequence[str] = (),
        clock: Clock = utc_now,
        leeway: timedelta = LEEWAY,
    ) -> None:
        if not (issuers and all(audiences) and audiences and scope):
            raise ValueError("Entra needs an issuer, an audience and a scope")
        self.issuers = {issuer.name.rstrip("/"): issuer for issuer in issuers}
        self.audiences = spellings(audiences)
        self.scope = scope
        self.tenants = tuple(tenants)
        self.clock = clock
        self.leeway = leeway

    def check_keys(self) -> None:
        """Raises Problem sign_in_keys_unavailable if any issuer's keys cannot be fetched."""
        for keys in dict.fromkeys(issuer.keys for issuer in self.issuers.values()):
            keys.check_reachable()

    def recognise_caller(self, headers: Mapping[str, str], ids: CallerIds) -> Caller | None:
        token = headers.get("x-caller-token")
        if token is None:
            scheme, _, token = headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                return None
        issuer, claims = self.verify_token(token.strip())
        user = claims.get("oid") or (None if issuer.standard else claims.get("sub"))
        if not isinstance(user, str) or not user:
            raise invalid_credentials("The token has no user id.", check="user")
        roles = names_in_claim(claims.get("roles"))
        scopes = names_in_claim(claims.get("scp"))
        if not scopes and is_id_token(claims):
            raise invalid_credentials(
                "This is an ID token. Send an access token for the broker's scope.",
                check="id_token",
                compare="the client's token request",
            )
        if self.scope not in roles | scopes:
            raise invalid_credentials(
                "The token was not issued for this broker's scope.",
                check="scope",
                compare="ENTRA_REQUIRED_SCOPE",
                token_has=[word for word in map(safe_word, sorted(roles | scopes)) if word],
            )
        first = self.tenants[0] if self.tenants else None
        if first and claims.get("tid", issuer.tenant or first) != first:
            roles -= {ADMIN}
        return ids.caller("entra", issuer.provider, user, roles)

    def verify_token(self, token: str) -> tuple[Issuer, dict[str, Any]]:
        """A valid token's issuer and claims. Raises Problem."""
        if not 0 < len(token) <= TOKEN_CHARACTERS:
            raise invalid_credentials("The token is empty or too long.", check="format")
        key_id, issuer, named = self.read_unverified(token)
        claims = self.decode(token, issuer, named, key_id)
        tenant = claims.get("tid")
        if issuer.standard or tenant is not None:
            expected = [issuer.tenant] if issuer.standard else list(self.tenants)
            if expected and tenant not in expected:
                raise invalid_credentials(
                    "The token is from another tenant.",
                    check="tenant",
                    compare="ENTRA_TENANT_ID",
                    token_tenant=safe_word(tenant),
                )
        self.check_times(claims)
        return issuer, claims

    def read_unverified(self, token: str) -> tuple[str, Issuer, str]:
        """The key's id, and the issuer that the token says it is of, in its own spelling: which
        keys to verify it with."""
        import jwt

        try:
            parts = jwt.decode_complete(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise invalid_credentials(NOT_VALID, check="format") from error
        key_id, algorithm = parts["header"].get("kid"), parts["header"].get("alg")
        if algorithm != "RS256" or not isinstance(key_id, str):
            raise invalid_credentials(
                "The token is not signed the way Entra signs.",
                check="algorithm",
                token_algorithm=safe_word(algorithm),
            )
        named = parts["payload"].get("iss")
        issuer = self.issuers.get(named.rstrip("/")) if isinstance(named, str) else None
        if issuer is None:
            tenant = safe_word(parts["payload"].get("tid"))
            raise invalid_credentials(
                NOT_VALID,
                check="issuer",
                compare="ENTRA_TENANT_ID, ENTRA_ISSUER",
                token_tenant=tenant,
                token_issuer=safe_word(host_of(str(named))),
            )
        return key_id, issuer, str(named)

    def decode(self, token: str, issuer: Issuer, named: str, key_id: str) -> dict[str, Any]:
        """The claims of a token with a valid signature, issuer and audience."""
        import jwt

        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                issuer.keys.key(key_id),
                algorithms=["RS256"],
                audience=self.audiences,
                issuer=named,
                leeway=self.leeway,
                options={
                    "require": [*REQUIRED_CLAIMS, *(["oid", "tid"] if issuer.standard else [])],
                    # Checked in `check_times`, against the injected clock.
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidAudienceError as error:
            found = jwt.decode(token, options={"verify_signature": False}).get("aud")
            audience = found.removeprefix("api://") if isinstance(found, str) else None
            raise invalid_credentials(
                NOT_VALID,
                check="audience",
                compare="ENTRA_AUDIENCE",
                token_audience=safe_word(audience),
            ) from error
        except jwt.InvalidSignatureError as error:
            raise invalid_credentials(NOT_VALID, check="signature") from error
        except jwt.MissingRequiredClaimError as error:
            raise invalid_credentials(
                NOT_VALID, check="claims", missing=safe_word(error.claim)
            ) from error
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise invalid_credentials(NOT_VALID, check="format") from error
        return claims

    def check_times(self, claims: Mapping[str, Any]) -> None:
        """Raises Problem invalid_credentials if the token is not valid now."""
        now, leeway = self.clock().timestamp(), self.leeway.total_seconds()
        starts, ends = claims["nbf"], claims["exp"]
        if not all(type(t) in (int, float) and abs(t) < LATEST_TIME for t in (starts, ends)):
            raise invalid_credentials("The token's times are not numbers.", check="times")
        if not now < ends + leeway:
            raise invalid_credentials("The token has expired.", check="expired")
        if not starts - leeway <= now:
            raise invalid_credentials("The token is not valid yet.", check="not_yet_valid")


def spellings(audiences: Sequence[str]) -> list[str]:
    """The audiences in every spelling: v1 tokens have `api://id`, v2 tokens `id`."""
    found = []
    for audience in audiences:
        bare = audience.removeprefix("api://")
        found += [audience, bare, f"api://{bare}"]
    return list(dict.fromkeys(found))


def is_id_token(claims: Mapping[str, Any]) -> bool:
    """Whether a token without a delegated scope tells a client who signed in, instead of letting
    one call this API. Both may carry app roles."""
    return any(claim in claims for claim in ID_TOKEN_CLAIMS) or not any(
        isinstance(claims.get(claim), str) for claim in CLIENT_CLAIMS
    )


def names_in_claim(claim: Any) -> frozenset[str]:
    """The names in `scp` (separated by spaces) or `roles` (a list)."""
    names = claim.split() if isinstance(claim, str) else claim
    if not isinstance(names, list):
        return frozenset()
    return frozenset(name for name in names if isinstance(name, str))
