"""The problems that calls of GPT-Live alone have. Part of the catalogue.

Those of the model's endpoint are 5xx, so that they cost the caller no start.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from shared.core.problem_meaning import Meaning

LIVE_PROBLEMS: Mapping[str, Meaning] = MappingProxyType(
    {
        "live_without_keys": Meaning(
            400,
            "Calls of that session profile have no ephemeral keys",
            "Post the offer to /api/connect with the same `profile`: GPT-Live is reached through "
            "the broker alone.",
        ),
        "live_not_served": Meaning(
            502,
            "The host does not serve GPT-Live",
            "Use a resource whose region offers GPT-Live, check REALTIME_ENDPOINT, and let a "
            "gateway pass …/live/sessions; docs/gateway.md.",
        ),
        "live_model_not_found": Meaning(
            502,
            "The GPT-Live model or deployment does not exist",
            "LIVE_MODEL (or the profile's `model`) is the deployment's name on Azure. A new "
            "deployment takes minutes to become available.",
        ),
        "not_a_live_model": Meaning(
            502,
            "The deployment is not a GPT-Live model",
            "Deploy gpt-live-1, and set LIVE_MODEL (or the profile's `model`) to the deployment's "
            "name. A realtime model needs a profile without `api`.",
        ),
        "delegation_model_not_found": Meaning(
            502,
            "The model that does the delegated work does not exist",
            "LIVE_DELEGATION_MODEL (or `delegation.responses.model`) is a model of the Responses "
            "API; on Azure, its deployment in the same resource.",
        ),
        "data_channel_refused": Meaning(
            502,
            "The model's endpoint does not take the limits of the page's data channel",
            "Without them a page could read the instructions and replace the tools, so no call is "
            "started. Check `client.data_channel` in the profile; if it is right, this endpoint "
            "does not serve it yet: use one that does, such as OpenAI's.",
        ),
        "instructions_too_long": Meaning(
            502,
            "The instructions are longer than GPT-Live takes",
            "Shorten them to 16,384 tokens. What the delegated work needs belongs in "
            "`delegation.responses.instructions`.",
        ),
        "live_sessions_full": Meaning(
            503,
            "The provider's limit of concurrent GPT-Live sessions is reached",
            "Try again after Retry-After. Raise the account's tier, or keep callers below it with "
            "LIVE_MAX_SESSIONS.",
        ),
    }
)
