"""What the endpoint's refusals mean: reported ones, with the right problem, and their kin."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.core.problem_catalog import CATALOGUE
from shared.core.problems import Problem
from shared.upstream.error_body import read_error
from shared.upstream.error_mapping import problem_of
from shared.upstream.known_refusals import KNOWN_REFUSALS
from shared.upstream.offer_reasons import OFFER_REASONS
from shared.upstream.refusal_row import LIVE, OFFER, SESSION, Sent, contains
from shared.upstream.transport import Reply

ROOT = Path(__file__).resolve().parents[3]
REPORTED: list[dict[str, Any]] = json.loads(
    (ROOT / "tests/fixtures/cases/upstream-errors.json").read_text()
)
EXPECTED = {
    "azure-sql-db-chatbot#3": "upstream_network_rules",
    "autogen#3953": "endpoint_not_found",
    "azure-sdk-for-net#12789": "custom_subdomain_missing",
    "home-assistant/core#120072": "upstream_country",
    "langchainjs#1929": "upstream_credit_exhausted",
    "livekit/agents#3398": "profile_refused",
    "ai-rag-chat-evaluator#94 (tenant id put in)": "upstream_wrong_tenant",
}
CONTROLS = {404: "deployment_not_found", 401: "upstream_access_denied"}
"""Reported ones that were understood before."""


def meaning(
    status: int,
    body: Any = None,
    headers: dict[str, str] | None = None,
    *,
    on: str = "mint",
) -> Problem:
    raw = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body)
    content = raw if isinstance(raw, bytes) else raw.encode()
    sent: Mapping[str, Sent] = {"calls": OFFER, "offer": OFFER, "live": LIVE}
    return problem_of(read_error(Reply(status, headers or {}, content)), on=sent.get(on, SESSION))


@pytest.mark.parametrize("case", REPORTED, ids=lambda case: f"{case['status']} {case['source']}")
def test_a_reported_refusal_is_the_problem_whose_remedy_helps(case: dict[str, Any]) -> None:
    problem = meaning(case["status"], case["body"], case.get("headers"), on=case["on"])
    expected = EXPECTED.get(case["source"]) or CONTROLS[case["status"]]
    assert problem.code == expected
    assert problem.status >= 500, "an operator's fault costs the caller no start"
    assert problem.retry_after is None


def azure(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def openai(code: str | None, message: str = "", kind: str = "invalid_request_error") -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def apim(status: int, message: str) -> dict[str, Any]:
    return {"statusCode": status, "message": message}


VNET = "A Virtual Network is configured for this resource. Please use the correct endpoint"
PRIVATE = "Public access is disabled. Please configure private endpoint."
TRAFFIC = "Traffic is not from an approved private endpoint."
WRONG_KEY = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a "
    "valid key for an active subscription and use a correct regional API endpoint for your resource"
)
AUDIENCE = (
    "Unauthorized. Access token is missing, invalid, audience is incorrect "
    "(https://cognitiveservices.azure.com), or have expired."
)
LACKS = (
    "The principal `0000` lacks the required data action "
    "`Microsoft.CognitiveServices/accounts/OpenAI/realtime/action` to perform this operation."
)
HTML = "<html><head><title>403 Forbidden</title></head><body>Application Gateway</body></html>"
KIN: list[tuple[str, int, Any, str]] = [
    # Network rules, in other words and shapes.
    ("private endpoint", 403, azure("403", PRIVATE), "upstream_network_rules"),
    ("private traffic", 403, azure("AccessDenied", TRAFFIC), "upstream_network_rules"),
    ("vnet at the top", 403, {"code": "403", "message": VNET}, "upstream_network_rules"),
    ("vnet as text", 403, VNET, "upstream_network_rules"),
    ("openai allowlist", 401, openai("ip_not_authorized"), "upstream_network_rules"),
    (
        "openai allowlist in words",
        401,
        openai(None, "Your request IP 203.0.113.7 is not authorized for this project."),
        "upstream_network_rules",
    ),
    # Hosts and paths.
    ("wrong host", 404, apim(404, "Resource not found"), "endpoint_not_found"),
    ("no subdomain", 404, azure("ResourceNotFound", "Resource not found"), "endpoint_not_found"),
    ("kong", 404, {"message": "no Route matched with those values"}, "endpoint_not_found"),
    ("a page", 404, "<html>Not Found</html>", "endpoint_not_found"),
    ("nothing", 404, None, "endpoint_not_found"),
    ("method", 405, None, "endpoint_not_found"),
    ("sign-in page", 302, None, "upstream_failed"),
    ("preview", 400, openai("beta_api_shape_disabled"), "endpoint_not_found"),
    # Identities and keys.
    ("role", 401, azure("PermissionDenied", "Principal does not…"), "upstream_access_denied"),
    ("role as 403", 403, azure("PermissionDenied", LACKS), "upstream_access_denied"),
    ("key of azure", 401, azure("401", WRONG_KEY), "upstream_access_denied"),
    ("audience", 401, apim(401, AUDIENCE), "upstream_wrong_scope"),
    (
        "issuer",
        401,
        azure("InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer."),
        "upstream_wrong_tenant",
    ),
    (
        "tenant as 401",
        401,
        azure("401", "Tenant provided in token does not match resource token"),
        "upstream_wrong_tenant",
    ),
    (
        "keys off",
        403,
        azure("AuthenticationTypeDisabled", "Key based authentication is disabled"),
        "key_auth_disabled",
    ),
    ("project", 401, openai("mismatched_project"), "upstream_access_denied"),
    ("bare 401", 401, None, "upstream_access_denied"),
    ("bare 403", 403, None, "upstream_forbidden"),
    ("a firewall's page", 403, HTML, "upstream_forbidden"),
    # Accounts.
    (
        "no credit",
        429,
        openai("credit_balance_exhausted", "", "insufficient_quota"),
        "upstream_credit_exhausted",
    ),
    ("inactive", 429, openai("billing_not_active"), "upstream_credit_exhausted"),
    ("hard limit", 400, openai("billing_hard_limit_reached"), "upstream_credit_exhausted"),
    ("payment", 402, None, "upstream_credit_exhausted"),
    ("deactivated", 401, openai("account_deactivated"), "upstream_account_blocked"),
    (
        "blocked",
        403,
        azure("403", "This resource has been temporarily blocked."),
        "upstream_account_blocked",
    ),
    (
        "unverified",
        403,
        openai("model_not_found", "Your organization must be verified to use the model `m`."),
        "organization_unverified",
    ),
    # Models.
    (
        "no access",
        403,
        openai("model_not_found", "Project `proj_1` does not have access to model `m`"),
        "deployment_not_found",
    ),
    (
        "absent",
        400,
        openai(None, "The model `m` does not exist or you do not have access to it."),
        "deployment_not_found",
    ),
    (
        "retired",
        404,
        openai("model_not_found", "The model `m` has been deprecated, learn more here"),
        "model_retired",
    ),
    ("gone", 410, azure("ModelDeprecated", "The model is deprecated"), "model_retired"),
    (
        "not realtime",
        400,
        openai("invalid_model", 'Model "m" is not supported in realtime mode.'),
        "not_a_realtime_model",
    ),
    ("region", 403, azure("403", "The resource is not in a supported region."), "upstream_region"),
    # Limits.
    ("rate", 429, azure("429", "Rate limit is exceeded."), "upstream_quota"),
    ("gateway's quota", 403, apim(403, "Out of call volume quota."), "upstream_quota"),
    ("slow down", 503, openai("slow_down"), "upstream_quota"),
    # Gateways.
    (
        "no key",
        401,
        apim(401, "Access denied due to missing subscription key."),
        "gateway_key_refused",
    ),
    (
        "bad key",
        401,
        apim(401, "Access denied due to invalid subscription key."),
        "gateway_key_refused",
    ),
    ("kong's key", 401, {"message": "No API key found in request"}, "gateway_key_refused"),
    ("proxy", 407, None, "upstream_unreachable"),
    # The rest.
    (
        "field without param",
        400,
        openai(None, "Unknown parameter: 'session.x'."),
        "profile_refused",
    ),
    ("filter", 400, azure("content_filter", "The prompt was filtered"), "profile_refused"),
    ("a page as 400", 400, "<html>400 Bad Request</html>", "upstream_failed"),
    ("overload", 503, None, "upstream_failed"),
    ("odd status", 418, None, "upstream_failed"),
    ("timeout", 504, None, "upstream_timeout"),
]


@pytest.mark.parametrize(("status", "body", "code"), [pytest.param(*k[1:], id=k[0]) for k in KIN])
@pytest.mark.parametrize("on", ["mint", "calls"])
def test_its_kin_are_understood_too(status: int, body: Any, code: str, on: str) -> None:
    problem = meaning(status, body, on=on)
    assert (problem.code, problem.status >= 500) == (code, True)


def test_api_management_says_by_a_header_that_it_wants_its_own_key() -> None:
    headers = {"WWW-Authenticate": 'AzureApiManagementKey realm="https://gw.test",name="x"'}
    assert meaning(401, "", headers).code == "gateway_key_refused"


def test_a_gateway_that_puts_its_own_token_before_ours_is_told_apart() -> None:
    body = azure("401", "This operation requires ephemeral tokens for authentication.")
    assert meaning(401, body, on="calls").code == "gateway_replaces_key"


OFFERS: list[tuple[Any, str]] = [
    (openai("invalid_offer", "Failed to parse offer: sdp: syntax error at pos 27"), "character 27"),
    (openai("invalid_offer", "Failed to parse offer: EOF"), "cut off"),
    (openai("invalid_offer", "Invalid SDP offer. … WHIP-compliant offer."), "ICE gathering"),
    (openai(None, "remoteDescription contained media section without mid value"), "a=mid"),
    (openai("invalid_offer", "codec is not supported by remote"), "Opus"),
    (azure("BadRequest", "invalid fingerprint in the offer"), "DTLS fingerprint"),
    (openai(None, "SetRemoteDescription called with no ice-ufrag in the SDP"), "ICE user name"),
    (None, ""),
    (openai("", ""), ""),
]


@pytest.mark.parametrize(("body", "reason"), OFFERS)
def test_why_an_offer_was_refused_is_told_in_our_words(body: Any, reason: str) -> None:
    problem = meaning(400, body, on="calls")
    assert (problem.code, problem.status) == ("offer_refused", 400)
    assert reason in problem.detail


def test_a_message_that_mentions_a_voice_or_a_device_is_not_about_ice() -> None:
    for message in ("Invalid voice", "Unsupported device", "No such service"):
        assert meaning(400, openai("invalid_value", message), on="calls").code == "profile_refused"


@pytest.mark.parametrize("param", ["session.audio.output.voice", "session", "session.tools[2]"])
def test_a_field_of_the_session_is_never_the_callers_fault(param: str) -> None:
    error = {"message": "Invalid offer of a media section", "code": None, "param": param}
    assert meaning(400, {"error": error}, on="calls").code == "profile_refused"


@pytest.mark.parametrize("status", [300, 304, 402, 418, 499, 500, 599, 999])
@pytest.mark.parametrize("body", ["[", "[1]", '"x"', '{"error": [7]}', '{"errors": [[]]}', "\x00"])
def test_any_status_with_any_body_is_some_problem(status: int, body: str) -> None:
    assert meaning(status, body).status >= 500


def test_every_row_has_a_problem_and_a_criterion_of_its_own() -> None:
    for row in KNOWN_REFUSALS:
        assert row.problem in CATALOGUE
        assert "upstream" not in row.detail
    *rows, last = KNOWN_REFUSALS
    assert all(
        row.statuses or row.codes or row.phrases or row.header or row.fields or row.params
        for row in rows
    )
    assert (last.problem, last.statuses) == ("upstream_failed", ())


def test_a_phrase_is_found_at_the_beginning_of_words_only() -> None:
    assert contains("the ip 1.2.3.4 is not authorized", "IP … not authorized")
    assert not contains("principal is not authorized", "IP … not authorized")
    assert not contains("not authorized for that ip", "IP … not authorized")


def documented(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of docs/troubleshooting.md."""
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    section = page.partition(f"### {heading}\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| (.+) \|$", section, re.M)[2:]
    return [[cell.strip() for cell in row.split(" | ")] for row in rows]


def cell(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def test_the_documents_have_the_rows_that_the_broker_reads_by() -> None:
    rows = []
    for row in KNOWN_REFUSALS:
        what = [cell(row.codes)] if row.codes else []
        what += [f"“{phrase}”" for phrase in row.phrases]
        what += [f"header `{row.header[0]}: {row.header[1]}`"] if row.header else []
        what += [f"`param` in {cell(row.fields)}"] if row.fields else []
        what += [f"`param` at or below {cell(row.params)}"] if row.params else []
        what += ["a body that is not JSON"] if row.foreign else []
        statuses = ", ".join(map(str, row.statuses)) or "any"
        rows.append([statuses, row.on, ", ".join(what) or "anything else", f"`{row.problem}`"])
    shown = documented("What the endpoint says, and the code that it becomes")
    assert shown == rows, "\n".join(f"| {' | '.join(row)} |" for row in rows)


def test_the_documents_have_the_reasons_for_refused_offers() -> None:
    rows = [[f"“{said}”", why] for said, why in OFFER_REASONS.items()]
    shown = documented("Why the endpoint refused an offer")
    assert shown == rows, "\n".join(f"| {' | '.join(row)} |" for row in rows)
