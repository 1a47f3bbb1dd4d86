"""Callers: who gets in, who is told to sign in, and who is told that their proof is not valid."""

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


def test_nobody_is_asked_to_sign_in() -> None:
    assert refusal(linked(), {}).code == "sign_in_required"
    assert refusal(linked(), {"authorization": "Bearer x"}).code == "sign_in_required"


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
