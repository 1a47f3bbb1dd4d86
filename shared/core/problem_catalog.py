"""What each problem code means: its HTTP status, its title, and the hint that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from shared.core.live_problems import LIVE_PROBLEMS
from shared.core.problem_meaning import Meaning
from shared.core.upstream_problems import UPSTREAM_PROBLEMS

CATALOGUE: Mapping[str, Meaning] = MappingProxyType(
    {
        # The request.
        "missing_offer": Meaning(
            400,
            "The request has no SDP offer",
            "Send the offer as the body with Content-Type: application/sdp, "
            "or in the field `sdp` of a multipart/form-data body.",
        ),
        "invalid_offer": Meaning(
            400,
            "The offer is not valid SDP",
            "Post `pc.localDescription.sdp` (or `offer.sdp`) unchanged; it starts with `v=0`.",
        ),
        "offer_without_audio": Meaning(
            400,
            "The offer has no m=audio line",
            "Add the microphone track or an audio transceiver before createOffer().",
        ),
        "offer_without_data_channel": Meaning(
            400,
            "The offer has no data channel",
            "Call pc.createDataChannel() before createOffer(): events are sent over it.",
        ),
        "offer_refused": Meaning(
            400,
            "The model's endpoint refused the offer",
            "Create a new offer in a current browser, and do not edit the SDP.",
        ),
        "broken_body": Meaning(
            400, "The body is incomplete or malformed", "Send the whole body again."
        ),
        "offer_too_large": Meaning(
            413, "The offer is larger than 64 KiB", "An offer is a few KiB: send only the SDP."
        ),
        "unsupported_content_type": Meaning(
            415,
            "This route does not accept that content type",
            "Use application/sdp, text/plain or multipart/form-data with the field `sdp`.",
        ),
        "method_not_allowed": Meaning(
            405, "This route does not allow that method", "Use one of the methods in `Allow`."
        ),
        "unknown_profile": Meaning(
            404,
            "There is no session profile with that name",
            "Omit `profile` for the default one, or use the name of a file in profiles/.",
        ),
        "profile_not_allowed": Meaning(
            403, "The session profile is for other callers", "Ask for one of the profile's `roles`."
        ),
        "token_endpoint_off": Meaning(
            404,
            "This broker does not issue ephemeral keys",
            "Post the offer to /api/connect, or set TOKEN_ENDPOINT=on.",
        ),
        "invalid_call_id": Meaning(
            400,
            "That is not a call id",
            'Send {"call_id": "rtc_…"}: the last segment of the Location that the model\'s /calls '
            "returned.",
        ),
        "registration_refused": Meaning(
            403,
            "The caller has no unused key for that call",
            "Get one key for each call, and register the call with the key's caller and `profile`.",
        ),
        "invalid_event": Meaning(
            400,
            "The event is not one that may be sent to a call, or is malformed",
            "The detail says what was expected; docs/api.md lists the events.",
        ),
        "event_refused": Meaning(
            409,
            "The model's endpoint refused the event",
            "The call's state did not allow it, for example a response during another response.",
        ),
        "invalid_query": Meaning(
            400, "A query parameter is not valid", "docs/api.md says what each one accepts."
        ),
        "call_not_found": Meaning(
            404,
            "This caller has no such call",
            "Use the Location that /api/connect returned, as the caller who started the call. An "
            "admin uses an id that /api/calls lists, and sends events only to a live call.",
        ),
        "conversation_over": Meaning(
            409,
            "The conversation cannot go on in another call",
            "Start a new call. Its time is up (LIMIT_CONVERSATION_SECONDS), or an admin, a budget "
            "or the service has ended it.",
        ),
        "already_continued": Meaning(
            409,
            "Another call continues that one already",
            "Continue the latest call of the conversation, by its own Location.",
        ),
        "recording_not_found": Meaning(
            404,
            "There is no recording of that call",
            "Only calls of GPT-Live are recorded, with RECORDINGS=on and an observer "
            "(docs/recording.md). Nothing may have been written yet, or it has been deleted.",
        ),
        "range_required": Meaning(
            400,
            "It is too large for one response",
            "Ask for it in parts with the header Range, as players do: each response has up to "
            "4 MiB.",
        ),
        "range_not_satisfiable": Meaning(
            416,
            "There is nothing in that range",
            "Content-Range has the number of bytes that there are.",
        ),
        # The caller.
        "sign_in_required": Meaning(
            401, "The caller is not signed in", "Sign in, then start the call again."
        ),
        "invalid_credentials": Meaning(
            401,
            "The caller's credentials are not valid",
            "Sign in again. The log says which check failed (docs/sign-in.md).",
        ),
        "sign_in_keys_unavailable": Meaning(
            503,
            "The keys that sign-in tokens are verified with cannot be fetched",
            "Try again. Check ENTRA_TENANT_ID, or ENTRA_ISSUER and ENTRA_KEYS_URL, and that the "
            "app can reach the sign-in's host.",
        ),
        "role_required": Meaning(
            403, "The caller does not have the role for this", "Ask for the role `admin`."
        ),
        "origin_not_allowed": Meaning(
            403,
            "Pages from that origin may not use this broker",
            "Add the exact origin to ALLOWED_ORIGINS, or serve the page from the broker's origin.",
        ),
        # Limits, of one caller and of all callers together.
        "too_many_starts": Meaning(
            429,
            "The caller has started too many calls in the last minute",
            "Wait for Retry-After. LIMIT_STARTS_PER_MINUTE sets the limit.",
        ),
        "too_many_live_calls": Meaning(
            429,
            "The caller has reached the limit of live calls",
            "End a call first. LIMIT_LIVE_CALLS sets the limit.",
        ),
        "all_lines_busy": Meaning(
            429,
            "All callers together have reached the limit of live calls",
            "Wait for Retry-After. LIMIT_LIVE_CALLS_TOTAL sets the limit.",
        ),
        "tokens_used_up": Meaning(
            429,
            "The caller has used up today's tokens",
            "Wait until midnight UTC. LIMIT_TOKENS_PER_DAY sets the limit.",
        ),
        "seconds_used_up": Meaning(
            429,
            "The caller has used up today's time, or running calls may use up what is left",
            "End a call that is running, or wait until midnight UTC. LIMIT_SECONDS_PER_DAY sets "
            "the limit.",
        ),
        "live_sessions_busy": Meaning(
            429,
            "All callers together have as many GPT-Live sessions as the provider allows",
            "Wait for Retry-After. LIVE_MAX_SESSIONS sets the limit: that of the provider's tier.",
        ),
        "storage_unavailable": Meaning(
            503,
            "The storage that limits are counted in is unavailable",
            "Try again. Check AzureWebJobsStorage and the app's roles on the storage account. "
            "Until it is back no call is started, so that none goes uncounted.",
        ),
        "ledger_busy": Meaning(
            503,
            "Too many calls are being started right now",
            "Try again after Retry-After. Nothing was started or counted.",
        ),
        "instance_busy": Meaning(
            503,
            "This instance has as many starts or ends under way as it can take",
            "Try again after Retry-After. If it persists, the model's endpoint or storage is slow: "
            "see upstream_timeout and storage_unavailable.",
        ),
        "instance_stopping": Meaning(
            503,
            "This instance is being stopped, and starts no more calls",
            "Try again after Retry-After: another instance answers.",
        ),
        "calls_unobserved": Meaning(
            503,
            "Running calls wait for an observer",
            "Raise OBSERVER_CAPACITY or MAXIMUM_INSTANCE_COUNT, and see the log of the function "
            "observe_call.",
        ),
        # The deployment.
        "misconfigured": Meaning(
            503,
            "The broker's settings are not valid",
            "The log lists every mistake; docs/settings.md says what each setting accepts.",
        ),
        "credential_unavailable": Meaning(
            503,
            "The broker cannot get a token for its own identity",
            "In Azure, check that the app has a managed identity and AZURE_CLIENT_ID names it. "
            "Elsewhere, run `az login`.",
        ),
        "vault_unavailable": Meaning(
            503,
            "Key Vault is unavailable",
            "Try again. Check KEY_VAULT_URI and the vault's network rules.",
        ),
        "vault_secret_unavailable": Meaning(
            503,
            "Key Vault does not return the secret",
            "Check the secret's name, and that the app's identity has the role Key Vault Secrets "
            "User.",
        ),
        "observer_unavailable": Meaning(
            503,
            "No observer attached to the call, so it was not started",
            "Try again. This broker requires an observer (OBSERVER=required); see the log of the "
            "function observe_call.",
        ),
        **UPSTREAM_PROBLEMS,
        **LIVE_PROBLEMS,
        "internal_error": Meaning(
            500, "The broker failed", "Try again. The log has the cause under the request id."
        ),
    }
)
