"""Callers: who gets in, who is told to sign in, and who is told that their proof is not valid."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.auth.anonymous import Anonymous
from shared.auth.authenticator import Authenticator
from shared.auth.caller import CallerIds
from shared.auth.static_web_apps import StaticWebApps, principals_are_genuine
from shared.core.problems import Problem
from shared.credentials.broker_secret import FixedSecret
from tests.support.principals import principal_header

SECRET = "first secret of the broker, 32 bytes and more"
NEXT = "second secret of the broker, 32 bytes and more"
ADA: dict[str, Any] = {
    "identityProvider": "aad",
    "userId": "d75b260a64504067bfc5b2905e3b8182",
    "userDetails": "ada@example.org",
    "userRoles": ["authenticated", "anonymous", "admin"],
}


def linked(*others: Any, secret: str = SECRET) -> Authenticator:
    return Authenticator([StaticWebApps(trusted=True), *others], FixedSecret([secret]))


def refusal(callers: Authenticator, headers: dict[str, str]) -> Problem:
    with pytest.raises(Problem) as problem:
        callers.authenticate(headers)
    assert problem.value.status == 401
    return problem.value


def test_a_signed_in_user_is_known_by_an_id_that_does_not_tell_who_it_is() -> None:
    caller = linked().authenticate(principal_header(ADA))
    assert caller.kind == "static-web-apps"
    assert caller.roles == {"authenticated", "anonymous", "admin"}
    assert len(caller.id) == 32
    assert ADA["userId"] not in repr(caller)
    assert "ada" not in repr(caller).lower().replace("adata", "")
    caller.require_role("admin")


def test_the_id_is_the_same_on_every_instance_and_another_for_everybody_else() -> None:
    one = linked().authenticate(principal_header(ADA)).id
    assert (
        linked().authenticate(principal_header(ADA | {"userDetails": None, "claims": []})).id == one
    )
    others = [ADA | {"userId": "other"}, ADA | {"identityProvider": "github"}]
    ids = {linked().authenticate(principal_header(other)).id for other in others}
    ids.add(linked(secret=NEXT).authenticate(principal_header(ADA)).id)
    assert len(ids | {one}) == 4
    split = ADA | {"identityProvider": "aad:d75b", "userId": ADA["userId"][4:]}
    assert linked().authenticate(principal_header(split)).id != one


def test_after_a_rotation_the_caller_still_owns_what_they_owned() -> None:
    before = linked().authenticate(principal_header(ADA))
    after = Authenticator([StaticWebApps(trusted=True)], FixedSecret([NEXT, SECRET])).authenticate(
        principal_header(ADA)
    )
    assert after.id != before.id
    assert after.previous_ids == (before.id,)
    assert after.ids == (after.id, before.id)


@pytest.mark.parametrize(
    "principal",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="not json"),
        pytest.param("[]", id="not an object"),
        pytest.param("null", id="null"),
        pytest.param({}, id="no members"),
        pytest.param(ADA | {"userRoles": ["anonymous"]}, id="nobody signed in"),
        pytest.param(ADA | {"userRoles": []}, id="no roles"),
        pytest.param(ADA | {"userRoles": "authenticated"}, id="roles as text"),
        pytest.param(ADA | {"userRoles": {"authenticated": 1}}, id="roles as an object"),
        pytest.param(ADA | {"userRoles": ["authenticated", 1]}, id="a role that is no text"),
        pytest.param(ADA | {"userId": ""}, id="no user id"),
        pytest.param(ADA | {"userId": None}, id="null user id"),
        pytest.param(ADA | {"userId": 7}, id="a number for a user id"),
        pytest.param(ADA | {"userId": "x" * 257}, id="a long user id"),
        pytest.param(ADA | {"identityProvider": ""}, id="no provider"),
        pytest.param(ADA | {"userDetails": 7}, id="details that are no text"),
        pytest.param(ADA | {"extra": 1}, id="a member too many"),
        pytest.param({k: v for k, v in ADA.items() if k != "userDetails"}, id="one too few"),
        pytest.param(
            json.dumps(ADA)[:-1] + ', "userId": "other"}', id="a member that is there twice"
        ),
        pytest.param(
            {"auth_typ": "aad", "claims": [], "name_typ": "", "role_typ": ""}, id="Easy Auth's"
        ),
        pytest.param("[" * 4000, id="deep"),
        pytest.param(ADA | {"userDetails": "x" * 9000}, id="oversize"),
    ],
)
def test_a_principal_of_another_shape_is_not_valid(principal: Any) -> None:
    assert refusal(linked(Anonymous()), principal_header(principal)).code == "invalid_credentials"


@pytest.mark.parametrize(
    "text",
    ["", "!", "a", "====", "//4=", "e30=e30=", " e30=", "e30", "e30=, e30="],
)
def test_a_header_that_is_not_one_base64_text_is_not_valid(text: str) -> None:
    refused = refusal(linked(), {"x-ms-client-principal": text})
    assert refused.code == "invalid_credentials"


def test_nobody_is_asked_to_sign_in() -> None:
    assert refusal(linked(), {}).code == "sign_in_required"
    assert refusal(linked(), {"authorization": "Bearer x"}).code == "sign_in_required"


def test_where_the_app_is_not_linked_a_principal_is_nobody() -> None:
    refused = refusal(
        Authenticator([StaticWebApps(trusted=False)], FixedSecret([SECRET])), principal_header(ADA)
    )
    assert refused.code == "sign_in_required"
    assert "linked" in refused.detail
    either = Authenticator([StaticWebApps(trusted=False), Anonymous()], FixedSecret([SECRET]))
    assert either.authenticate(principal_header(ADA)).roles == {"anonymous"}


AZURE = {"WEBSITE_SITE_NAME": "func", "WEBSITE_INSTANCE_ID": "1"}
LAPTOP = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development"}


@pytest.mark.parametrize(
    ("env", "methods", "genuine"),
    [
        pytest.param(LAPTOP, "static-web-apps", True, id="the laptop"),
        pytest.param(LAPTOP, "static-web-apps,anonymous", True, id="the laptop, open"),
        pytest.param({}, "static-web-apps", False, id="who knows where"),
        pytest.param(LAPTOP | AZURE, "static-web-apps", False, id="Azure that claims a laptop"),
        pytest.param(LAPTOP | {"CONTAINER_APP_NAME": "a"}, "static-web-apps", False, id="aca"),
        pytest.param(AZURE, "static-web-apps", False, id="Azure, not linked"),
        pytest.param(AZURE | {"WEBSITE_AUTH_ENABLED": "True"}, "static-web-apps", True, id="auth"),
        pytest.param(
            AZURE | {"WEBSITE_AUTH_ENABLED": "False"}, "static-web-apps", False, id="auth off"
        ),
        pytest.param(AZURE | {"STATIC_WEB_APP_LINKED": "on"}, "static-web-apps", True, id="said"),
        pytest.param(
            AZURE | {"STATIC_WEB_APP_LINKED": "off"}, "static-web-apps", False, id="said not"
        ),
        pytest.param(
            AZURE | {"STATIC_WEB_APP_LINKED": "on", "WEBSITE_AUTH_ENABLED": "false"},
            "static-web-apps",
            False,
            id="said, but the platform knows better",
        ),
        pytest.param(
            AZURE | {"STATIC_WEB_APP_LINKED": "unchecked", "WEBSITE_AUTH_ENABLED": "false"},
            "static-web-apps",
            True,
            id="said, with the check turned off",
        ),
        pytest.param(
            AZURE | {"STATIC_WEB_APP_LINKED": "unchecked", "WEBSITE_AUTH_ENABLED": "true"},
            "static-web-apps,anonymous",
            False,
            id="on routes that anonymous may call",
        ),
    ],
)
def test_where_a_principal_can_be_believed(
    env: dict[str, str], methods: str, genuine: bool
) -> None:
    assert principals_are_genuine(env, methods.split(",")) is genuine


def anonymous(proxies: int = 0) -> Authenticator:
    return Authenticator([Anonymous(proxies)], FixedSecret([SECRET]))


def test_anonymous_callers_are_one_caller_unless_told_apart() -> None:
    shared = anonymous()
    one = shared.authenticate({"x-forwarded-for": "203.0.113.7"})
    assert one == shared.authenticate({})
    assert one.kind == "anonymous"
    with pytest.raises(Problem, match="role_required"):
        one.require_role("admin")


def by_address(forwarded: str, proxies: int = 1) -> str:
    return anonymous(proxies).authenticate({"x-forwarded-for": forwarded}).id


def test_an_address_is_believed_only_from_the_proxies_that_are_ours() -> None:
    ada = by_address("203.0.113.7")
    assert by_address("198.51.100.1, 203.0.113.7") == ada
    assert by_address("198.51.100.1,203.0.113.7:50123") == ada
    assert by_address("203.0.113.7, 198.51.100.1") != ada
    assert by_address("9.9.9.9, 203.0.113.7, 10.0.0.1", 2) == ada
    assert by_address("[::ffff:203.0.113.7]:1") == ada


def test_a_network_of_ipv6_is_one_caller() -> None:
    one = by_address("2001:db8:1:2::1")
    assert by_address("[2001:db8:1:2:ffff::9]:443") == one
    assert by_address("2001:db8:1:3::1") != one


@pytest.mark.parametrize("forwarded", ["", "unknown", "203.0.113.7, ", "1.2.3", "x" * 999, "[:"])
def test_who_has_no_address_shares_one_callers_limits(forwarded: str) -> None:
    assert by_address(forwarded) == anonymous().authenticate({}).id


def test_the_first_method_that_recognises_somebody_decides() -> None:
    both = linked(Anonymous())
    assert both.authenticate(principal_header(ADA)).kind == "static-web-apps"
    assert both.authenticate({}).kind == "anonymous"


def test_no_method_and_no_secret_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="method"):
        Authenticator([], FixedSecret([SECRET]))
    with pytest.raises(ValueError, match="32 bytes"):
        CallerIds(["short"])


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["x-ms-client-principal", "x-forwarded-for"]), st.text()))
def test_whatever_is_sent_the_answer_is_a_caller_or_a_problem(headers: dict[str, str]) -> None:
    outcome = None
    try:
        assert linked(Anonymous(1)).authenticate(headers).id
    except Problem as problem:
        outcome = problem.code
    assert outcome in (None, "invalid_credentials")
