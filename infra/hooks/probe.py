"""postdeploy: tests the deployment from the outside, without credentials.

A forged principal sent straight to the function app must be refused; the site must serve the page
with its headers; the API must answer through the site; and an unauthenticated request must get
neither a key nor a redirect to a login page.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from datetime import timedelta

from azd_tools import Answer, Outside, Stop, main, parameters

MAX_WAIT = timedelta(minutes=5)
RETRY_INTERVAL = timedelta(seconds=10)
HEADERS = ("Content-Security-Policy", "Permissions-Policy", "X-Content-Type-Options")
REFUSED = (401, 403)
FORGED = {
    "identityProvider": "aad",
    "userId": "00000000000000000000000000000000",
    "userDetails": "forged@example.com",
    "userRoles": ["anonymous", "authenticated", "admin"],
}


def probe(outside: Outside) -> None:
    """Raises `Stop` with every check that failed."""
    api, site = outside.env["SERVICE_API_URI"], outside.env.get("SERVICE_WEB_URI", "")
    callers = {each.strip() for each in parameters(outside.env)["callerAuth"].split(",")}
    linked = outside.env.get("WEB_BACKEND_LINKED", "true").lower() == "true"
    # A site that was there before has a page of its own, with headers of its own.
    own_page = site and not parameters(outside.env)["existingStaticWebAppName"]
    failures = check_page(outside, site) if own_page else []
    if "anonymous" not in callers:
        failures += check_forged_principal(outside, api)
    if site and linked:
        failures += check_site_api(outside, site, open_to_all="anonymous" in callers)
    else:
        failures += check_health(outside, api)
    if failures:
        raise Stop("The deployment failed its checks:\n- " + "\n- ".join(failures))
    outside.say(f"Probe: all checks passed. The {'page' if site else 'app'}: {site or api}")


def wait_for_answer(
    outside: Outside, ask: Callable[[], Answer], settled: Callable[[Answer], bool]
) -> Answer:
    """Repeats a request until its answer is final: a new site and app take time to start."""
    left = MAX_WAIT
    while True:
        answer = ask()
        if settled(answer) or left <= timedelta(0):
            return answer
        outside.sleep(RETRY_INTERVAL.total_seconds())
        left -= RETRY_INTERVAL


def check_forged_principal(outside: Outside, api: str) -> list[str]:
    """A forged principal sent directly to the function app must be refused."""
    principal = base64.b64encode(json.dumps(FORGED).encode()).decode()
    headers = {"X-MS-CLIENT-PRINCIPAL": principal, "Accept": "application/json"}
    answer = wait_for_answer(
        outside,
        lambda: outside.http("POST", f"{api}/api/token", headers, b""),
        # Not ready: the host is starting, or the functions are not indexed yet.
        lambda answer: answer.status not in (0, 404, 500, 502, 503, 504),
    )
    if answer.status in REFUSED:
        outside.say(f"Probe: a forged principal is refused ({answer.status})")
        return []
    if answer.status in (0, 404, 500, 502, 503, 504):
        return [f"the function app does not answer at {api} (status {answer.status})."]
    return [
        f"A FORGED PRINCIPAL WAS ACCEPTED: {api}/api/token answered {answer.status}. Anyone can "
        "call as any user. Stop the app now (az functionapp stop), then see "
        "docs/operations.md, A forged principal is accepted."
    ]


def check_page(outside: Outside, site: str) -> list[str]:
    """The page is served, with its headers."""
    answer = wait_for_answer(
        outside, lambda: outside.http("GET", f"{site}/"), lambda answer: answer.status == 200
    )
    if answer.status != 200:
        return [f"the page at {site} answers {answer.status}."]
    there = {name.lower() for name in answer.headers}
    missing = [name for name in HEADERS if name.lower() not in there]
    return [f"the page is served without {', '.join(missing)}."] if missing else []


def check_site_api(outside: Outside, site: str, *, open_to_all: bool) -> list[str]:
    """The API behind the site is healthy and refuses strangers without a redirect."""
    failures = check_health(outside, site)
    if open_to_all:
        return failures
    answer = outside.http("POST", f"{site}/api/token", {"Accept": "application/json"}, b"")
    if answer.status in (301, 302, 303, 307, 308):
        failures.append(
            "/api/token redirects anonymous requests to a login page, which fetch cannot follow; "
            "remove the override of 401 from staticwebapp.config.json."
        )
    elif answer.status not in REFUSED:
        failures.append(f"/api/token answers anonymous requests with {answer.status}, not 401.")
    return failures


def check_health(outside: Outside, base: str) -> list[str]:
    """/api/health, and /api/health/deep where it is open to anyone."""
    answer = wait_for_answer(
        outside,
        lambda: outside.http("GET", f"{base}/api/health"),
        lambda answer: answer.status == 200,
    )
    if answer.status != 200:
        said = answer.json()
        hint = said.get("hint") or said.get("detail") or "see the log of the app"
        return [f"{base}/api/health answers {answer.status}: {hint}"]
    deep = outside.http("GET", f"{base}/api/health/deep")
    if deep.status in REFUSED:
        outside.say(
            f"Probe: for the remaining checks, sign in as an admin and open {base}/api/health/deep"
        )
    elif deep.status != 200:
        said = deep.body[:1000].decode(errors="replace")
        return [f"{base}/api/health/deep answers {deep.status}: {said}"]
    else:
        for each in deep.json().get("warnings", []):
            outside.say(f"Probe: warning: {each}")
    return []


if __name__ == "__main__":
    sys.exit(main(probe))
