"""Whether the broker can do its work: each thing it stands on, tried once, with its remedy.

For admins and for the probe after a deployment. Trying the model mints a key of the shortest life
and throws it away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shared.core import logs
from shared.core.problems import Problem

Check = Callable[[], object]


def run_checks(checks: Mapping[str, Check]) -> dict[str, Any]:
    """Runs every check, also after one has failed. Gives `{"status", "checks": [{"name", …}]}`.

    A check fails by raising `Problem`; its code and hint are the remedy.
    """
    results = [result(name, check) for name, check in checks.items()]
    well = all(each["status"] == "ok" for each in results)
    return {"status": "ok" if well else "failing", "checks": results}


def result(name: str, check: Check) -> dict[str, Any]:
    """What one check found."""
    try:
        check()
    except Problem as problem:
        found = {"code": problem.code, "detail": problem.detail, "hint": problem.meaning.hint}
        return {"name": name, "status": "failing", **found}
    except Exception:
        logs.failure("health check failed", check=name)
        failed = Problem("internal_error")
        found = {"code": failed.code, "detail": failed.detail, "hint": failed.meaning.hint}
        return {"name": name, "status": "failing", **found}
    return {"name": name, "status": "ok"}
