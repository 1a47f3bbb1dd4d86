"""Every refusal of the endpoint's that is known, by what it says, with the problem that it is.

The order is the rule: the first row that fits wins, so what is special stands before a bare
status. docs/troubleshooting.md has the same rows, and a test compares the two. Sources: the
providers' documents, recorded traffic and public bug reports.
"""

from __future__ import annotations

from shared.upstream.error_body import ErrorBody
from shared.upstream.live_refusals import LIVE_SESSIONS, LIVE_STATUSES
from shared.upstream.refusal_row import KnownRefusal, Sent

REDIRECTS = (301, 302, 303, 307, 308)

GATEWAY = (
    KnownRefusal(
        problem="gateway_key_refused",
        statuses=(401,),
        header=("WWW-Authenticate", "AzureApiManagementKey"),
    ),
    KnownRefusal(
        problem="upstream_access_denied",
        phrases=("invalid subscription key or wrong API endpoint",),
        detail="The model's endpoint does not know the key, or it is another resource's.",
    ),
    KnownRefusal(
        problem="gateway_key_refused",
        statuses=(401, 403),
        phrases=("subscription key", "No API key found in request", "Missing Authentication Token"),
    ),
    KnownRefusal(
        problem="gateway_replaces_key",
        phrases=("requires ephemeral tokens",),
    ),
    KnownRefusal(
        problem="endpoint_not_found",
        phrases=("no Route matched", "Subdomain does not map to a resource"),
    ),
    KnownRefusal(
        problem="endpoint_not_found",
        codes=("beta_api_shape_disabled",),
        detail="Something in front of the endpoint makes the request one of the preview API.",
    ),
    KnownRefusal(
        problem="endpoint_not_found",
        phrases=("Beta API is no longer supported", "API version not supported"),
        detail="Something in front of the endpoint makes the request one of the preview API.",
    ),
)
NETWORK = (
    KnownRefusal(
        problem="upstream_network_rules",
        header=("policy-id", "ThrowExceptionDueToTrafficDenied"),
    ),
    KnownRefusal(
        problem="upstream_network_rules",
        codes=("ip_not_authorized", "PublicNetworkAccessDisabled"),
    ),
    KnownRefusal(
        problem="upstream_network_rules",
        statuses=(401, 403),
        phrases=(
            *("Virtual Network", "firewall rules", "public access is disabled"),
            *("public network access", "private endpoint", "private link"),
            *("IP … not authorized", "IP … not allowed"),
        ),
    ),
    KnownRefusal(
        problem="upstream_country",
        codes=("unsupported_country_region_territory",),
    ),
    KnownRefusal(problem="upstream_country", phrases=("country, region, or territory",)),
    KnownRefusal(problem="upstream_country", statuses=(451,)),
)
ACCOUNT = (
    KnownRefusal(
        problem="upstream_credit_exhausted",
        codes=(
            *("insufficient_quota", "billing_not_active", "billing_hard_limit_reached"),
            *("credit_balance_exhausted", "budget_exceeded"),
        ),
    ),
    KnownRefusal(
        problem="upstream_credit_exhausted",
        phrases=("exceeded your current quota", "billing hard limit", "credit balance"),
    ),
    KnownRefusal(problem="upstream_credit_exhausted", statuses=(402,)),
    KnownRefusal(
        problem="upstream_account_blocked",
        codes=(
            *("account_deactivated", "organization_deactivated", "access_terminated"),
            *("deactivated_workspace", "ReadOnlyDisabledSubscription", "SubscriptionDisabled"),
        ),
    ),
    KnownRefusal(
        problem="upstream_account_blocked",
        phrases=(
            *("temporarily blocked", "account … deactivated", "organization … deactivated"),
            *("subscription … disabled", "organization has been disabled"),
        ),
    ),
    KnownRefusal(problem="organization_unverified", phrases=("organization must be verified",)),
)
CREDENTIAL = (
    KnownRefusal(
        problem="key_auth_disabled",
        codes=("AuthenticationTypeDisabled",),
    ),
    KnownRefusal(
        problem="key_auth_disabled",
        phrases=("key based authentication is disabled", "key authentication is disabled"),
    ),
    KnownRefusal(
        problem="upstream_wrong_tenant",
        phrases=(
            *("does not match resource tenant", "tenant provided in token", "token tenant"),
            *("from the wrong issuer",),
        ),
    ),
    KnownRefusal(
        problem="custom_subdomain_missing",
        phrases=("custom subdomain", "custom domain"),
    ),
    KnownRefusal(
        problem="upstream_wrong_scope",
        phrases=("audience is incorrect", "invalid audience", "audience validation"),
    ),
    KnownRefusal(problem="upstream_wrong_scope", codes=("InvalidAudience",)),
    KnownRefusal(
        problem="upstream_access_denied",
        codes=("PermissionDenied", "AuthorizationFailed"),
        detail="The broker's identity has no role that lets it use the model.",
    ),
    KnownRefusal(
        problem="upstream_access_denied",
        phrases=(
            *("Principal does not have access", "lacks the required data action"),
            *("does not have authorization to perform",),
        ),
        detail="The broker's identity has no role that lets it use the model.",
    ),
    KnownRefusal(
        problem="upstream_access_denied",
        codes=("invalid_api_key",),
        detail="The model's endpoint does not know the key.",
    ),
    KnownRefusal(
        problem="upstream_access_denied",
        codes=(
            *("invalid_organization", "mismatched_organization", "mismatched_project"),
            *("missing_scope", "insufficient_permissions"),
        ),
        detail="The key belongs to another organization or project, or may not use Realtime.",
    ),
    KnownRefusal(
        problem="upstream_access_denied",
        phrases=("Missing scopes", "insufficient permissions", "member of an organization"),
        detail="The key belongs to another organization or project, or may not use Realtime.",
    ),
)
RETIRED = (
    KnownRefusal(
        problem="model_retired",
        codes=("DeploymentDeprecated", "ModelDeprecated", "model_deprecated"),
    ),
    KnownRefusal(
        problem="model_retired",
        phrases=(
            *("model … has been deprecated", "model … is deprecated", "model … retired"),
            *("deployment … deprecated", "model … no longer available"),
        ),
    ),
)
MODEL = (
    KnownRefusal(
        problem="not_a_realtime_model",
        # The service itself spells it with two p.
        codes=("OpperationNotSupported", "OperationNotSupported", "invalid_model"),
    ),
    KnownRefusal(
        problem="not_a_realtime_model",
        phrases=("not supported in realtime mode", "realtime operation does not work"),
    ),
    KnownRefusal(
        problem="deployment_not_found",
        codes=("DeploymentNotFound", "model_not_found", "unknown_model"),
    ),
    KnownRefusal(
        problem="deployment_not_found",
        phrases=(
            *("API deployment … does not exist", "model … does not exist", "invalid model name"),
            "access to model",
        ),
    ),
    KnownRefusal(problem="upstream_region", statuses=(403,), phrases=("region",)),
    KnownRefusal(
        problem="upstream_region",
        statuses=(400, 404),
        phrases=("supported region", "in this region", "in the region", "in your region"),
    ),
)
LIMITS = (
    KnownRefusal(
        problem="upstream_quota",
        codes=("rate_limit_exceeded", "RateLimitReached", "slow_down", "NoCapacity"),
    ),
    KnownRefusal(
        problem="upstream_quota",
        codes=("inference_rate_limit_exceeded", "TooManyRequests", "QuotaExceeded"),
    ),
    KnownRefusal(
        problem="upstream_quota",
        statuses=(403, 429, 503),
        phrases=("rate limit", "call volume quota", "quota will be replenished"),
    ),
    KnownRefusal(problem="upstream_quota", statuses=(429,)),
)
REQUEST = (
    KnownRefusal(
        problem="offer_refused",
        statuses=(400, 422),
        fields=("sdp", "offer"),
        on="offer",
    ),
    KnownRefusal(problem="profile_refused", statuses=(400, 422), fields=("session",)),
    KnownRefusal(
        problem="offer_refused",
        statuses=(400, 422),
        codes=("invalid_offer", "invalid_sdp"),
        on="offer",
    ),
    KnownRefusal(
        problem="profile_refused",
        statuses=(400, 422),
        codes=("content_filter", "ResponsibleAIPolicyViolation", "invalid_prompt"),
        detail="The content filter of the model's endpoint refused the instructions.",
    ),
    KnownRefusal(
        problem="profile_refused",
        statuses=(400, 422),
        codes=(
            *("unknown_parameter", "missing_required_parameter", "invalid_value", "invalid_type"),
            *("unsupported_value", "unsupported_parameter", "string_above_max_length"),
            *("integer_below_min_value", "integer_above_max_value", "array_above_max_length"),
            *("invalid_function_parameters", "missing_model"),
        ),
    ),
    KnownRefusal(
        problem="offer_refused",
        statuses=(400, 422),
        phrases=("SDP", "offer", "ICE candidate", "media section", "fingerprint", "DTLS"),
        on="offer",
    ),
    KnownRefusal(
        problem="upstream_failed",
        statuses=(400, 413, 415, 422),
        foreign=True,
        detail="The model's endpoint, or a gateway in front of it, does not take the request.",
    ),
    KnownRefusal(problem="profile_refused", statuses=(400, 422), on="session"),
    KnownRefusal(problem="offer_refused", statuses=(400, 413, 415, 422), on="offer"),
)
STATUSES = (
    KnownRefusal(problem="upstream_access_denied", statuses=(401,)),
    KnownRefusal(
        problem="upstream_forbidden",
        statuses=(403,),
        foreign=True,
        detail="Something in front of the model's endpoint, such as a firewall, blocks the broker.",
    ),
    KnownRefusal(problem="upstream_forbidden", statuses=(403,)),
    KnownRefusal(problem="endpoint_not_found", statuses=(404, 405, 410, 421)),
    KnownRefusal(
        problem="upstream_failed",
        statuses=REDIRECTS,
        detail="The host redirects. Check REALTIME_ENDPOINT: it is another host's, or a sign-in is "
        "in front of it.",
    ),
    KnownRefusal(
        problem="upstream_unreachable",
        statuses=(407,),
        detail="A proxy between the broker and the model's endpoint asks for a sign-in.",
    ),
    KnownRefusal(problem="upstream_timeout", statuses=(408, 504)),
    KnownRefusal(problem="upstream_failed"),
)
KNOWN_REFUSALS: tuple[KnownRefusal, ...] = (
    *(*GATEWAY, *NETWORK, *ACCOUNT, *CREDENTIAL, *RETIRED, *LIVE_SESSIONS, *MODEL),
    *(*LIMITS, *REQUEST, *LIVE_STATUSES, *STATUSES),
)
"""All rows, in the order in which they are tried; the last one fits anything."""


def known_refusal(error: ErrorBody, *, on: Sent) -> KnownRefusal:
    """The row for `error`."""
    return next(row for row in KNOWN_REFUSALS if row.fits(error, on=on))
