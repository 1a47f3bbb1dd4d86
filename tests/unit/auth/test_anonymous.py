"""Callers who do not sign in: one caller, or one for each address."""

from __future__ import annotations

import pytest

from shared.auth.anonymous import Anonymous
from shared.auth.authenticator import Authenticator
from shared.core.problems import Problem
from shared.credentials.broker_secret import FixedSecret
from tests.unit.auth.linked import SECRET


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


def test_an_address_is_trusted_only_from_our_own_proxies() -> None:
    ada = by_address("203.0.113.7")
    assert by_address("198.51.100.1, 203.0.113.7") == ada
    assert by_address("198.51.100.1,203.0.113.7:50123") == ada
    assert by_address("203.0.113.7, 198.51.100.1") != ada
    assert by_address("9.9.9.9, 203.0.113.7, 10.0.0.1", 2) == ada
    assert by_address("[::ffff:203.0.113.7]:1") == ada


def test_an_ipv6_network_is_one_caller() -> None:
    one = by_address("2001:db8:1:2::1")
    assert by_address("[2001:db8:1:2:ffff::9]:443") == one
    assert by_address("2001:db8:1:3::1") != one


@pytest.mark.parametrize("forwarded", ["", "unknown", "203.0.113.7, ", "1.2.3", "x" * 999, "[:"])
def test_callers_without_an_address_are_one_caller(forwarded: str) -> None:
    assert by_address(forwarded) == anonymous().authenticate({}).id
