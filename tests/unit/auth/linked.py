"""A caller, and an app that is linked to a Static Web App."""

from __future__ import annotations

from typing import Any

import pytest

from shared.auth.authenticator import Authenticator
from shared.auth.static_web_apps import StaticWebApps
from shared.core.problems import Problem
from shared.credentials.broker_secret import FixedSecret

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
