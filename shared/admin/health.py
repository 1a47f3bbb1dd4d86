"""Whether the broker can work: each dependency is tried once, and a failure comes with its remedy.

For admins and for the probe after a deployment. The model's endpoint is tried part by part
(endpoint_probe.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from shared.admin.endpoint_probe import EndpointProbe, NotTried
from shared.config.gateway import NO_SIDEBAND
from shared.config.settings import Settings
from shared.config.voice_api import LIVE
from shared.core import logs
from shared.core.problems import Problem
from shared.credentials.credentials import Credentials
from shared.limits.ledger_store import Ledger

Check = Callable[[], object]


def deep_checks(
    settings: Settings, credentials: Credentials, ledger: Ledger, probe: EndpointProbe
) -> dict[str, Check]:
    """The checks by name, in the order in which one failure explains the next."""
    checks: dict[str, Check] = {
        "secret": credentials.secret.current,
        "credential": credentials.endpoints[settings.endpoint.name].endpoint.headers,
        "storage": partial(ledger.usage_of, "health"),
        "model": probe.mint_key,
        "calls": probe.post_no_offer,
        "hangup": probe.hang_up_no_call,
        "sideband": probe.dial_no_call,
    }
    endpoint = settings.endpoint
    unused = settings.observer.mode == "off" and endpoint.sideband_url is None
    if unused or endpoint.sideband_url == NO_SIDEBAND:
        del checks["sideband"]
    if not endpoint.has_gateway:
        del checks["hangup"]
    if probe.profile_of(LIVE) is not None:
        checks |= {"live": probe.create_no_session, "live_hangup": probe.end_no_session}
    return checks


def run_checks(checks: Mapping[str, Check], warnings: Sequence[str] = ()) -> dict[str, Any]:
    """Runs every check, also after a failure. Returns `{"status", "checks": [{"name", …}]}`, and
    `warnings` of what works today and will not for long, if there are any.

    A check fails by raising `Problem`; the problem's code and hint are the remedy. It is skipped if
    it depends on one that fails.
    """
    results = [run_check(name, check) for name, check in checks.items()]
    healthy = all(each["status"] != "failing" for each in results)
    found = {"status": "ok" if healthy else "failing", "checks": results}
    return {**found, "warnings": [*warnings]} if warnings else found


def run_check(name: str, check: Check) -> dict[str, Any]:
    """The result of one check."""
    try:
        check()
    except NotTried:
        return {"name": name, "status": "skipped"}
    except Problem as problem:
        return failed_check(name, problem)
    except Exception:
        logs.failure("health check failed", check=name)
        return failed_check(name, Problem("internal_error"))
    return {"name": name, "status": "ok"}


def failed_check(name: str, problem: Problem) -> dict[str, Any]:
    remedy = {"code": problem.code, "detail": problem.detail, "hint": problem.meaning.hint}
    return {"name": name, "status": "failing", **remedy}
