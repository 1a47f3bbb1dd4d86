"""The codes of problems."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class ProblemCode(StrEnum):
    """The codes that the broker answers with. A newer broker may have others, so that
    `Problem.code` is a string; it compares with these."""

    ALL_LINES_BUSY = "all_lines_busy"
    ALREADY_CONTINUED = "already_continued"
    BROKEN_BODY = "broken_body"
    CALL_NOT_FOUND = "call_not_found"
    CALLS_UNOBSERVED = "calls_unobserved"
    CONVERSATION_OVER = "conversation_over"
    CREDENTIAL_UNAVAILABLE = "credential_unavailable"
    CUSTOM_SUBDOMAIN_MISSING = "custom_subdomain_missing"
    DATA_CHANNEL_REFUSED = "data_channel_refused"
    DELEGATION_MODEL_NOT_FOUND = "delegation_model_not_found"
    DEPLOYMENT_NOT_FOUND = "deployment_not_found"
    ENDPOINT_NOT_FOUND = "endpoint_not_found"
    ENDPOINT_REMOVED = "endpoint_removed"
    EPHEMERAL_KEY_REFUSED = "ephemeral_key_refused"
    EVENT_REFUSED = "event_refused"
    GATEWAY_KEY_REFUSED = "gateway_key_refused"
    GATEWAY_REPLACES_KEY = "gateway_replaces_key"
    INSTANCE_BUSY = "instance_busy"
    INSTANCE_STOPPING = "instance_stopping"
    INSTRUCTIONS_TOO_LONG = "instructions_too_long"
    INTERNAL_ERROR = "internal_error"
    INVALID_CALL_ID = "invalid_call_id"
    INVALID_CREDENTIALS = "invalid_credentials"
    INVALID_EVENT = "invalid_event"
    INVALID_OFFER = "invalid_offer"
    INVALID_QUERY = "invalid_query"
    KEY_AUTH_DISABLED = "key_auth_disabled"
    LEDGER_BUSY = "ledger_busy"
    LIVE_MODEL_NOT_FOUND = "live_model_not_found"
    LIVE_NOT_SERVED = "live_not_served"
    LIVE_SESSIONS_BUSY = "live_sessions_busy"
    LIVE_SESSIONS_FULL = "live_sessions_full"
    LIVE_WITHOUT_KEYS = "live_without_keys"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    MISCONFIGURED = "misconfigured"
    MISSING_OFFER = "missing_offer"
    MODEL_RETIRED = "model_retired"
    NOT_A_LIVE_MODEL = "not_a_live_model"
    NOT_A_REALTIME_MODEL = "not_a_realtime_model"
    OBSERVER_UNAVAILABLE = "observer_unavailable"
    OFFER_REFUSED = "offer_refused"
    OFFER_TOO_LARGE = "offer_too_large"
    OFFER_WITHOUT_AUDIO = "offer_without_audio"
    OFFER_WITHOUT_DATA_CHANNEL = "offer_without_data_channel"
    ORGANIZATION_UNVERIFIED = "organization_unverified"
    ORIGIN_NOT_ALLOWED = "origin_not_allowed"
    PROFILE_NOT_ALLOWED = "profile_not_allowed"
    PROFILE_REFUSED = "profile_refused"
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable"
    RANGE_REQUIRED = "range_required"
    RECORDING_NOT_FOUND = "recording_not_found"
    REGISTRATION_REFUSED = "registration_refused"
    ROLE_REQUIRED = "role_required"
    SECONDS_USED_UP = "seconds_used_up"
    SIDEBAND_NOT_SERVED = "sideband_not_served"
    SIGN_IN_KEYS_UNAVAILABLE = "sign_in_keys_unavailable"
    SIGN_IN_REQUIRED = "sign_in_required"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    TOKEN_ENDPOINT_OFF = "token_endpoint_off"  # noqa: S105
    TOKENS_USED_UP = "tokens_used_up"
    TOO_MANY_LIVE_CALLS = "too_many_live_calls"
    TOO_MANY_STARTS = "too_many_starts"
    UNKNOWN_PROFILE = "unknown_profile"
    UNSUPPORTED_CONTENT_TYPE = "unsupported_content_type"
    UPSTREAM_ACCESS_DENIED = "upstream_access_denied"
    UPSTREAM_ACCOUNT_BLOCKED = "upstream_account_blocked"
    UPSTREAM_COUNTRY = "upstream_country"
    UPSTREAM_CREDIT_EXHAUSTED = "upstream_credit_exhausted"
    UPSTREAM_FAILED = "upstream_failed"
    UPSTREAM_FORBIDDEN = "upstream_forbidden"
    UPSTREAM_NETWORK_RULES = "upstream_network_rules"
    UPSTREAM_QUOTA = "upstream_quota"
    UPSTREAM_REGION = "upstream_region"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_WRONG_SCOPE = "upstream_wrong_scope"
    UPSTREAM_WRONG_TENANT = "upstream_wrong_tenant"
    VAULT_SECRET_UNAVAILABLE = "vault_secret_unavailable"  # noqa: S105
    VAULT_UNAVAILABLE = "vault_unavailable"


UNCERTAIN: Final = frozenset(
    {
        *(ProblemCode.INTERNAL_ERROR, ProblemCode.STORAGE_UNAVAILABLE),
        *(ProblemCode.UPSTREAM_FAILED, ProblemCode.UPSTREAM_TIMEOUT),
        ProblemCode.UPSTREAM_UNREACHABLE,
    }
)
"""The broker does not know either whether what it was asked for has begun."""
BROKER_UNREACHABLE: Final = "broker_unreachable"
"""Nothing was sent: no such host, no connection, or no answer to connecting."""
NO_ANSWER: Final = "no_answer"
"""Something was sent, and no whole answer came. The request may have been carried out."""
UNEXPECTED_ANSWER: Final = "unexpected_answer"
"""What came is not of the broker, or not of a version that this client knows: a sign-in page, a
proxy's error. The request may have been carried out."""
CLIENT_CODES: Final = frozenset({BROKER_UNREACHABLE, NO_ANSWER, UNEXPECTED_ANSWER})
"""The codes of this client's own."""
