"""Who is authenticated, who is told to sign in, and whose proof is not valid."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.auth.anonymous import Anonymous
from shared.auth.authenticator import Authenticator
from shared.auth.caller import CallerIds
from shared.auth.static_web_apps import StaticWebApps
from shared.core.problems import Problem
from shared.credentials.broker_secret import FixedSecret
from tests.support.principals import principal_header
from tests.unit.auth.linked import ADA, NEXT, SECRET, linked, refusal


def test_a_callers_id_does_not_reveal_who_they_are() -> None:
    caller = linked().authenticate(principal_header(ADA))
    assert caller.kind == "static-web-apps"
    assert caller.roles == {"authenticated", "anonymous", "admin"}
    assert len(caller.id) == 32
    assert ADA["userId"] not in repr(caller)
    assert "ada" not in repr(caller).lower().replace("adata", "")
    caller.require_role("admin")


def test_an_id_is_the_same_on_every_instance_and_differs_between_callers() -> None:
    one = linked().authenticate(principal_header(ADA)).id
    same = ADA | {"userDetails": None, "claims": []}
    assert linked().authenticate(principal_header(same)).id == one
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


def test_without_proof_a_caller_is_asked_to_sign_in() -> None:
    assert refusal(linked(), {}).code == "sign_in_required"
    assert refusal(linked(), {"authorization": "Bearer x"}).code == "sign_in_required"


def test_the_first_method_that_recognises_somebody_decides() -> None:
    both = linked(Anonymous())
    assert both.authenticate(principal_header(ADA)).kind == "static-web-apps"
    assert both.authenticate({}).kind == "anonymous"


def test_a_missing_method_or_secret_is_an_error() -> None:
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
