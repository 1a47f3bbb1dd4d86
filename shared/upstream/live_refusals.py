"""What the endpoint's refusals of GPT-Live's sessions mean, where the remedy is another than for
Realtime. Rows of the table in known_refusals.py."""

from __future__ import annotations

from shared.upstream.refusal_row import LIVE, KnownRefusal

LIVE_SESSIONS = (
    KnownRefusal(
        problem="data_channel_refused",
        statuses=(400, 422),
        params=("session.client",),
        on=LIVE,
    ),
    KnownRefusal(
        problem="instructions_too_long",
        statuses=(400, 422),
        phrases=("Instructions must not exceed",),
        on=LIVE,
    ),
    KnownRefusal(
        problem="instructions_too_long",
        codes=("string_above_max_length",),
        params=("session.instructions",),
        on=LIVE,
    ),
    KnownRefusal(
        problem="delegation_model_not_found",
        statuses=(400, 404, 422),
        params=("session.delegation.responses.model", "session.delegation.decisions.model"),
        on=LIVE,
    ),
    KnownRefusal(
        problem="not_a_live_model",
        codes=("OpperationNotSupported", "OperationNotSupported", "invalid_model"),
        on=LIVE,
    ),
    KnownRefusal(
        problem="not_a_live_model",
        phrases=("not supported in live mode", "live operation does not work"),
        on=LIVE,
    ),
    KnownRefusal(
        problem="live_model_not_found",
        codes=("DeploymentNotFound", "model_not_found", "unknown_model"),
        on=LIVE,
    ),
    KnownRefusal(
        problem="live_model_not_found",
        phrases=("API deployment … does not exist", "model … does not exist", "access to model"),
        on=LIVE,
    ),
    KnownRefusal(problem="live_sessions_full", statuses=(429,), on=LIVE),
    KnownRefusal(
        problem="offer_refused",
        statuses=(400, 422),
        params=("transport",),
        on=LIVE,
    ),
)
LIVE_STATUSES = (
    KnownRefusal(problem="live_not_served", statuses=(404, 405, 410, 421, 501), on=LIVE),
    KnownRefusal(
        problem="upstream_failed",
        statuses=(500,),
        on=LIVE,
        detail="The model's endpoint failed. It may also be that its account has no credit.",
    ),
)
