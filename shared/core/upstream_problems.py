"""The problems of the model's endpoint: one code for each remedy. Part of the catalogue.

All are 5xx, so that they cost the caller no start. An offer that the endpoint refuses is the
caller's own, and in problem_catalog.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from shared.core.problem_meaning import Meaning

UPSTREAM_PROBLEMS: Mapping[str, Meaning] = MappingProxyType(
    {
        "upstream_access_denied": Meaning(
            502,
            "The model's endpoint does not accept the broker's identity",
            "Give the app's identity the role Cognitive Services OpenAI User on the resource or, "
            "if that is not enough, Cognitive Services User (either takes minutes to take effect). "
            "Check REALTIME_TOKEN_SCOPE, and that the endpoint has a "
            "custom subdomain. With an API key, check the key.",
        ),
        "upstream_forbidden": Meaning(
            502,
            "The model's endpoint forbids the request",
            "The credential is known but may not do this, or a firewall or gateway in front "
            "blocks it: the log has what it says. Check the identity's role, the resource's "
            "networking, and that its region offers Realtime.",
        ),
        "upstream_network_rules": Meaning(
            502,
            "The network rules of the model's endpoint keep the broker out",
            "Admit the app's subnet or outbound addresses under the resource's Networking, or"
            " reach its private endpoint: the app needs the virtual network and private DNS. "
            "With OpenAI, check the IP allowlist.",
        ),
        "upstream_wrong_tenant": Meaning(
            502,
            "The broker's identity belongs to another tenant than the resource",
            "Use an identity of the resource's own tenant. On a laptop: `az login --tenant "
            "<the resource's>`.",
        ),
        "upstream_wrong_scope": Meaning(
            502,
            "The broker's token is for another audience",
            "Set REALTIME_TOKEN_SCOPE to https://ai.azure.com/.default or, if the resource "
            "refuses that, https://cognitiveservices.azure.com/.default.",
        ),
        "custom_subdomain_missing": Meaning(
            502,
            "The endpoint's host does not take identities",
            "Use https://<resource>.openai.azure.com as REALTIME_ENDPOINT, not a region's "
            "host. If the resource has no custom subdomain, give it one, or use a key.",
        ),
        "key_auth_disabled": Meaning(
            502,
            "The resource does not take keys",
            "Remove REALTIME_API_KEY and REALTIME_API_KEY_SECRET and give the app's identity "
            "a role, or allow keys on the resource (disableLocalAuth).",
        ),
        "endpoint_not_found": Meaning(
            502,
            "The host does not serve the Realtime API at this address",
            "Check REALTIME_ENDPOINT: https://<resource>.openai.azure.com of the resource "
            "that has the deployment; of a gateway, with the path in front of /openai/v1.",
        ),
        "gateway_key_refused": Meaning(
            502,
            "The gateway in front of the model does not accept its key",
            "Check REALTIME_GATEWAY_HEADER and REALTIME_GATEWAY_KEY (or its secret) against "
            "the gateway's subscription; docs/gateway.md.",
        ),
        "gateway_replaces_key": Meaning(
            502,
            "The gateway in front of the model replaces the ephemeral key",
            "Let the gateway pass Authorization on unchanged for POST …/realtime/calls; "
            "docs/gateway.md.",
        ),
        "upstream_country": Meaning(
            502,
            "The model's endpoint does not serve the broker's country",
            "Host the function app in a country that the provider supports.",
        ),
        "upstream_credit_exhausted": Meaning(
            502,
            "The account at the model's provider has no credit left",
            "Add credit or raise the spending limit of the organization and the project; "
            "waiting does not help.",
        ),
        "upstream_account_blocked": Meaning(
            502,
            "The account at the model's provider is blocked",
            "Check the state of the subscription or organization, and ask the provider's support.",
        ),
        "organization_unverified": Meaning(
            502,
            "The provider demands a verified organization for this model",
            "Verify the organization in the provider's settings (takes minutes to take "
            "effect), or use another model.",
        ),
        "model_retired": Meaning(
            502,
            "The model has been retired",
            "Deploy a current realtime model and set REALTIME_MODEL (or the profile's "
            "`model`) to it.",
        ),
        "sideband_not_served": Meaning(
            502,
            "The model's endpoint does not serve the sideband WebSocket",
            "Let the gateway pass WebSockets for …/realtime, or set "
            "REALTIME_SIDEBAND_ENDPOINT to a host that serves them, or OBSERVER=off; "
            "docs/gateway.md.",
        ),
        "upstream_region": Meaning(
            502,
            "The resource's region does not offer Realtime over WebRTC",
            "Use a resource in East US 2 or Sweden Central.",
        ),
        "deployment_not_found": Meaning(
            502,
            "The model deployment does not exist",
            "REALTIME_MODEL is the deployment's name, not the model's. A new deployment takes "
            "minutes to become available.",
        ),
        "not_a_realtime_model": Meaning(
            502,
            "The deployment is not a realtime model",
            "Deploy gpt-realtime-1.5 or another realtime model, and set REALTIME_MODEL to the "
            "deployment's name.",
        ),
        "endpoint_removed": Meaning(
            502,
            "The call's endpoint is not in the settings any more",
            "Put it back into REALTIME_ENDPOINTS, with weight 0, until its calls are over: nothing "
            "else can follow or end them; docs/endpoints.md.",
        ),
        "upstream_quota": Meaning(
            503,
            "The model's quota is exhausted for now",
            "Try again after Retry-After. If it persists, raise the deployment's capacity.",
        ),
        "ephemeral_key_refused": Meaning(
            502,
            "The model's endpoint refused a new ephemeral key",
            "Try again. Check the clock, and that the endpoint is the one that issued the key.",
        ),
        "profile_refused": Meaning(
            502,
            "The model's endpoint refused the session profile",
            "Check the profile against the model and its API; the log has the field's name.",
        ),
        "upstream_unreachable": Meaning(
            502,
            "The model's endpoint cannot be reached",
            "Check REALTIME_ENDPOINT, DNS and the app's outbound network.",
        ),
        "upstream_timeout": Meaning(
            504, "The model's endpoint did not answer in time", "Try again in a moment."
        ),
        "upstream_failed": Meaning(
            502, "The model's endpoint failed", "Try again. Check Azure Service Health."
        ),
    }
)
