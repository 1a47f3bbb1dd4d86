"""Whether the broker can work: each dependency is tried once, and a failure comes with its remedy.

For admins and for the probe after a deployment. The model's endpoints are tried part by part
(endpoint_probe.py), several of them at once: the site waits 45 s for an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any

from shared.admin.endpoint_probe import EndpointProbe, NotTried
from shared.config.gateway import NO_SIDEBAND
from shared.config.settings import EndpointSettings, Settings
from shared.config.voice_api import LIVE
from shared.core import logs
from shared.core.problems import Problem
from shared.credentials.credentials import Credentials
from shared.limits.ledger_store import Ledger

Check = Callable[[], object]
Checks = Mapping[str, Check]
AT = "@"
"""Between a check's name and the endpoint that it is about, where there are several."""
ENDPOINTS_AT_ONCE = 8


def deep_checks(
    settings: Settings, credentials: Credentials, ledger: Ledger, probes: Sequence[EndpointProbe]
) -> dict[str, Check]:
    """The checks by name, in the order in which one failure explains the next; those of several
    endpoints by `name@endpoint`, each endpoint's together."""
    checks: dict[str, Check] = {"secret": credentials.secret.current}
    places = {probe.model.name: f"{AT}{probe.model.name}" for probe in probes[1:] and probes}
    for name, each in credentials.endpoints.items():
        checks[f"credential{places.get(name, '')}"] = each.endpoint.headers
    checks["storage"] = partial(ledger.usage_of, "health")
    for probe in probes:
        at = places.get(probe.model.name, "")
        parts = parts_of(probe, settings, probe.model.settings)
        checks |= {f"{name}{at}": check for name, check in parts.items()}
    return checks


def parts_of(
    probe: EndpointProbe, settings: Settings, endpoint: EndpointSettings
) -> dict[str, Check]:
    """What is tried of one endpoint, by name."""
    checks: dict[str, Check] = {
        "model": probe.mint_key,
        "calls": probe.post_no_offer,
        "hangup": probe.hang_up_no_call,
        "sideband": probe.dial_no_call,
    }
    unused = settings.observer.mode == "off" and endpoint.sideband_url is None
    if unused or endpoint.sideband_url == NO_SIDEBAND:
        del checks["sideband"]
    if not endpoint.has_gateway:
        del checks["hangup"]
    if probe.profile_of(LIVE) is not None:
        checks |= {"live": probe.create_no_session, "live_hangup": probe.end_no_session}
    return checks


def run_checks(checks: Checks, warnings: Sequence[str] = ()) -> dict[str, Any]:
    """Runs every check, also after a failure. Returns `{"status", "checks": [{"name", …}]}`, and
    `warnings` of what works today and will not for long, if there are any. A check of one of
    several endpoints says which: `endpoint`.

    A check fails by raising `Problem`; the problem's code and hint are the remedy. It is skipped if
    it depends on one that fails.
    """
    results = results_of(checks)
    healthy = all(each["status"] != "failing" for each in results)
    found = {"status": "ok" if healthy else "failing", "checks": results}
    return {**found, "warnings": [*warnings]} if warnings else found


def results_of(checks: Checks) -> list[dict[str, Any]]:
    """The results in the order of the checks: one endpoint's one after the other, several
    endpoints' at once."""
    groups: dict[str, dict[str, Check]] = {}
    for label, check in checks.items():
        groups.setdefault(label.partition(AT)[2], {})[label] = check
    if len(groups) == 1:
        return run_group(checks)
    with ThreadPoolExecutor(min(len(groups), ENDPOINTS_AT_ONCE)) as pool:
        # The request's id goes into what a check logs.
        running = [pool.submit(copy_context().run, run_group, group) for group in groups.values()]
        return [result for each in running for result in each.result()]


def run_group(checks: Checks) -> list[dict[str, Any]]:
    return [run_check(label, check) for label, check in checks.items()]


def run_check(label: str, check: Check) -> dict[str, Any]:
    """The result of one check."""
    name, _, endpoint = label.partition(AT)
    about = {"name": name, "endpoint": endpoint} if endpoint else {"name": name}
    try:
        check()
    except NotTried:
        return {**about, "status": "skipped"}
    except Problem as problem:
        return failed_check(about, problem)
    except Exception:
        logs.failure("health check failed", check=label)
        return failed_check(about, Problem("internal_error"))
    return {**about, "status": "ok"}


def failed_check(about: Mapping[str, str], problem: Problem) -> dict[str, Any]:
    remedy = {"code": problem.code, "detail": problem.detail, "hint": problem.meaning.hint}
    return {**about, "status": "failing", **remedy}
