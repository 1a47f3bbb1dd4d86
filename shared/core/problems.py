"""Everything that can go wrong, as one family of errors with one JSON shape.

A `Problem` carries a stable `code`. What the code means (HTTP status, title, what to do) stands
once, in `CATALOGUE`; docs/troubleshooting.md has a section for each, and a test holds the two
together. The body is RFC 9457 problem+json. Text that came from upstream never becomes part of a
Problem: `detail` is always written here, in this project's words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a problem code stands for: the HTTP status, a short title and what the reader can do."""

    status: int
    title: str
    hint: str


CATALOGUE: Mapping[str, Meaning] = MappingProxyType(
    {
        # What the request was.
        "missing_offer": Meaning(
            400,
            "The request has no SDP offer",
            "Send the offer as the body with Content-Type: application/sdp, "
            "or as the form field `sdp` of multipart/form-data.",
        ),
        "invalid_offer": Meaning(
            400,
            "The offer is not SDP",
            "Post `pc.localDescription.sdp` (or `offer.sdp`) unchanged: it starts with `v=0`.",
        ),
        "offer_without_audio": Meaning(
            400,
            "The offer has no audio line",
            "Add the microphone track or an audio transceiver before createOffer().",
        ),
        "offer_without_data_channel": Meaning(
            400,
            "The offer has no data channel",
            "Call pc.createDataChannel() before createOffer(): the events travel on it.",
        ),
        "offer_refused": Meaning(
            400,
            "The model's endpoint refused the offer",
            "Make a new offer with a current browser; do not edit the SDP.",
        ),
        "broken_body": Meaning(
            400, "The body breaks off or cannot be read", "Send the whole body again."
        ),
        "offer_too_large": Meaning(
            413, "The offer is larger than 64 KiB", "An offer is a few KiB: send the SDP alone."
        ),
        "unsupported_content_type": Meaning(
            415,
            "The content type is not one that this route takes",
            "Use application/sdp, text/plain or multipart/form-data with the field `sdp`.",
        ),
        "method_not_allowed": Meaning(
            405, "This route does not take that method", "Use one of the methods in `Allow`."
        ),
        "unknown_profile": Meaning(
            404,
            "There is no session profile of that name",
            "Leave `profile` out for the default one, or use the name of a file in profiles/.",
        ),
        "token_endpoint_off": Meaning(
            404,
            "This broker hands out no keys",
            "Post the offer to /api/connect; or set TOKEN_ENDPOINT=on.",
        ),
        "invalid_call_id": Meaning(
            400,
            "That is not the id of a call",
            'Send {"call_id": "rtc_…"}: the last part of the Location that /calls answered.',
        ),
        "invalid_event": Meaning(
            400,
            "That event may not be sent to a call, or is not of its shape",
            "The detail says what was expected; docs/api.md lists the events.",
        ),
        "event_refused": Meaning(
            409,
            "The model's endpoint refused the event",
            "The call's state did not allow it, such as a response while one is being given.",
        ),
        "invalid_query": Meaning(
            400, "A query parameter is not what it should be", "docs/api.md says what each takes."
        ),
        "call_not_found": Meaning(
            404,
            "There is no such call for this caller",
            "Use the Location that /api/connect answered, as the caller who started the call.",
        ),
        # Who is asking.
        "sign_in_required": Meaning(
            401, "Nobody is signed in", "Sign in, then start the call again."
        ),
        "invalid_credentials": Meaning(
            401,
            "The caller's proof of identity is not valid",
            "Sign in again. For Entra tokens check tenant, audience and scope.",
        ),
        "sign_in_keys_unavailable": Meaning(
            503,
            "The keys that sign-ins are checked with cannot be had",
            "Try again; check that the app can reach login.microsoftonline.com.",
        ),
        "role_required": Meaning(
            403, "This needs a role that the caller does not have", "Ask for the role `admin`."
        ),
        "origin_not_allowed": Meaning(
            403,
            "Pages of that origin may not use this broker",
            "Add the exact origin to ALLOWED_ORIGINS, or serve the page from the same origin.",
        ),
        # What the caller, and all callers together, may use.
        "too_many_starts": Meaning(
            429,
            "The caller has started too many calls in the last minute",
            "Wait for Retry-After. LIMIT_STARTS_PER_MINUTE sets the limit.",
        ),
        "too_many_live_calls": Meaning(
            429,
            "The caller has as many live calls as one caller may have",
            "End a call first. LIMIT_LIVE_CALLS sets the limit.",
        ),
        "all_lines_busy": Meaning(
            429,
            "All callers together have as many live calls as there may be",
            "Wait for Retry-After. LIMIT_LIVE_CALLS_TOTAL sets the limit.",
        ),
        "tokens_used_up": Meaning(
            429,
            "The caller has used the tokens of the day",
            "Wait until midnight UTC. LIMIT_TOKENS_PER_DAY sets the limit.",
        ),
        "storage_unavailable": Meaning(
            503,
            "The storage that limits are counted in cannot be reached",
            "Try again; check AzureWebJobsStorage and the app's roles on the storage account. "
            "While it is away no call is started, so that none goes uncounted.",
        ),
        "ledger_busy": Meaning(
            503,
            "Too many calls are being started at this moment",
            "Try again after Retry-After: nothing was started or counted.",
        ),
        # What this broker is set up to be.
        "misconfigured": Meaning(
            503,
            "The broker's settings are wrong",
            "The log names every mistake; docs/settings.md says what each setting takes.",
        ),
        "credential_unavailable": Meaning(
            503,
            "The broker cannot prove its identity",
            "In Azure: check that the app has a managed identity and AZURE_CLIENT_ID names it. "
            "Elsewhere: run `az login`.",
        ),
        "vault_unavailable": Meaning(
            503, "Key Vault cannot be reached", "Try again; check KEY_VAULT_URI and its network."
        ),
        "vault_secret_unavailable": Meaning(
            503,
            "Key Vault does not give the secret",
            "Check the secret's name and the role Key Vault Secrets User of the app's identity.",
        ),
        "observer_unavailable": Meaning(
            503,
            "No observer could be attached to the call, so it was not started",
            "Try again. Calls need an observer here (OBSERVER=required); see the log of the "
            "function observe_call.",
        ),
        # What the model's endpoint said.
        "upstream_access_denied": Meaning(
            502,
            "The model's endpoint does not accept the broker's identity",
            "Give the app's identity the role Cognitive Services User on the resource (it takes "
            "minutes to work), check REALTIME_TOKEN_SCOPE, and that the endpoint has its own "
            "subdomain; with a key, check the key.",
        ),
        "upstream_region": Meaning(
            502,
            "The resource's region does not offer Realtime over WebRTC",
            "Use a resource in East US 2 or Sweden Central.",
        ),
        "deployment_not_found": Meaning(
            502,
            "The model's deployment does not exist",
            "REALTIME_MODEL is the deployment's name, not the model's. A new one needs minutes.",
        ),
        "not_a_realtime_model": Meaning(
            502,
            "The deployment is not a realtime model",
            "Deploy gpt-realtime or a relative of it and set REALTIME_MODEL to its name.",
        ),
        "upstream_quota": Meaning(
            503,
            "The model's quota is used up for now",
            "Try again after Retry-After; raise the deployment's capacity if it goes on.",
        ),
        "ephemeral_key_refused": Meaning(
            502,
            "The model's endpoint refused a fresh ephemeral key",
            "Try again; check the clock and that the endpoint is the one that made the key.",
        ),
        "profile_refused": Meaning(
            502,
            "The model's endpoint refused the session profile",
            "Check the profile against the model and its api: the log has the field's name.",
        ),
        "upstream_unreachable": Meaning(
            502,
            "The model's endpoint cannot be reached",
            "Check REALTIME_ENDPOINT, DNS and the outbound network of the app.",
        ),
        "upstream_timeout": Meaning(
            504, "The model's endpoint did not answer in time", "Try again in a moment."
        ),
        "upstream_failed": Meaning(
            502, "The model's endpoint failed", "Try again; see the service's health in Azure."
        ),
        "internal_error": Meaning(
            500, "The broker failed", "Try again; the log has the cause under the request id."
        ),
    }
)


class Problem(Exception):
    """The one error of the broker.

    Takes a `code` of `CATALOGUE`, a `detail` sentence in this project's own words (default: the
    title), how long the caller should wait (`retry_after`), and extra response headers.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        retry_after: timedelta | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.meaning = CATALOGUE[code]
        self.detail = detail or f"{self.meaning.title}."
        self.retry_after = retry_after
        self.extra_headers = dict(headers or {})
        super().__init__(f"{code}: {self.detail}")

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self.meaning.status

    @property
    def headers(self) -> dict[str, str]:
        """Headers that belong to this refusal: `Retry-After` in whole seconds, `Allow`, …"""
        if self.retry_after is None:
            return self.extra_headers
        seconds = max(1, math.ceil(self.retry_after.total_seconds()))
        return {**self.extra_headers, "Retry-After": str(seconds)}

    def body(self, request_id: str) -> dict[str, Any]:
        """The problem+json members (RFC 9457, with `code`, `hint` and `request_id` added)."""
        return {
            "type": f"urn:realtime-token-broker:problem:{self.code}",
            "title": self.meaning.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "hint": self.meaning.hint,
            "request_id": request_id,
        }
