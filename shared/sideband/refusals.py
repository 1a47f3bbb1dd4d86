"""What says that dialling again is of no use: statuses, close codes and error codes."""

from __future__ import annotations

NOT_ALLOWED = (400, 401, 403, 404)
"""Statuses of a refusal that no retry changes. This 404 is not the endpoint's own."""
REFUSING_CLOSE_CODES = (1008, 3000, 3003)
"""Policy violation (RFC 6455), unauthorized and forbidden (IANA's registry)."""
REFUSING_ERRORS = frozenset(
    {
        "access_terminated",
        "account_deactivated",
        "billing_hard_limit_reached",
        "billing_not_active",
        "credit_balance_exhausted",
        "insufficient_quota",
        "invalid_api_key",
        "invalid_authentication",
        "invalid_organization",
        "ip_not_authorized",
        "mismatched_organization",
        "mismatched_project",
        "organization_deactivated",
        "permission_denied",
        "unsupported_country_region_territory",
    }
)
"""Codes of error events after which an accepted connection is closed: key, quota or policy."""
