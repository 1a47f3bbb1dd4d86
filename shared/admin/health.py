"""Whether the broker can work: each dependency is tried once, and a failure comes with its remedy.

For admins and for the probe after a deployment. The model's endpoint is tried by minting a key of
the shortest life, which is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from shared.config.profiles import Profiles
from shared.core import logs
from shared.core.problems import Problem
from shared.credentials.broker_secret import SecretSource
from shared.credentials.endpoint_credential import Credential
from shared.limits.ledger_store import Ledger
from shared.realtime.ephemeral_key_cache import KeyMinter

Check = Callable[[], object]
SHORTEST_KEY = timedelta(seconds=10)


def deep_checks(
    secret: SecretSource,
    credential: Credential,
    ledger: Ledger,
    minter: KeyMinter,
    profiles: Profiles,
) -> dict[str, Check]:
    """The checks by name, in the order in which one failure explains the next."""
    return {
        "secret": secret.current,
        "credential": credential.headers,
        "storage": partial(ledger.usage_of, "health"),
        "model": partial(minter.mint_key, profiles.named(None), SHORTEST_KEY),
    }


def run_checks(checks: Mapping[str, Check]) -> dict[str, Any]:
    """Runs every check, also after a failure. Returns `{"status", "checks": [{"name", …}]}`.

    A check fails by raising `Problem`; the problem's code and hint are the remedy.
    """
    results = [run_check(name, check) for name, check in checks.items()]
    healthy = all(each["status"] == "ok" for each in results)
    return {"status": "ok" if healthy else "failing", "checks": results}


def run_check(name: str, check: Check) -> dict[str, Any]:
    """The result of one check."""
    try:
        check()
    except Problem as problem:
        return failed_check(name, problem)
    except Exception:
        logs.failure("health check failed", check=name)
        return failed_check(name, Problem("internal_error"))
    return {"name": name, "status": "ok"}


def failed_check(name: str, problem: Problem) -> dict[str, Any]:
    remedy = {"code": problem.code, "detail": problem.detail, "hint": problem.meaning.hint}
    return {"name": name, "status": "failing", **remedy}
