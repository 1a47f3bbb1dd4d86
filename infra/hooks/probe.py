"""postdeploy: asks the deployed product, as a stranger would, whether it stands as it should.

What must hold: a principal that somebody forges and sends straight to the function app is refused;
the site answers, with its headers; the API answers through the site; a stranger gets no key and no
redirect to a login page.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from datetime import timedelta

from azd_tools import Answer, Outside, Stop, main

PATIENCE = timedelta(minutes=5)
AGAIN = timedelta(seconds=10)
HEADERS = ("Content-Security-Policy", "Permissions-Policy", "X-Content-Type-Options")
REFUSED = (401, 403)
FORGED = {
    "identityProvider": "aad",
    "userId": "00000000000000000000000000000000",
    "userDetails": "forged@example.com",
    "userRoles": ["anonymous", "authenticated", "admin"],
}


def probe(outside: Outside) -> None:
    """Raises `Stop` with everything that does not hold."""
    api, site = outside.env["SERVICE_API_URI"], outside.env["SERVICE_WEB_URI"]
    callers = {each.strip() for each in outside.env.get("CALLER_AUTH", "").split(",")}
    linked = outside.env.get("WEB_BACKEND_LINKED", "true").lower() == "true"
    wrong = [*page(outside, site)]
    if "anonymous" not in callers:
        wrong += forged(outside, api)
    if linked:
        wrong += through_the_site(outside, site, open_to_all="anonymous" in callers)
    else:
        wrong += health(outside, api)
    if wrong:
        raise Stop("The deployment does not stand as it should:\n- " + "\n- ".join(wrong))
    outside.say(f"Probe: everything holds. The page: {site}")


def until(outside: Outside, ask: Callable[[], Answer], settled: Callable[[Answer], bool]) -> Answer:
    """Asks again until the answer is settled: a new site and a new app need their time."""
    left = PATIENCE
    while True:
        answer = ask()
        if settled(answer) or left <= timedelta(0):
            return answer
        outside.sleep(AGAIN.total_seconds())
        left -= AGAIN


def forged(outside: Outside, api: str) -> list[str]:
    """A forged principal, straight to the function app, must be refused."""
    principal = base64.b64encode(json.dumps(FORGED).encode()).decode()
    headers = {"X-MS-CLIENT-PRINCIPAL": principal, "Accept": "application/json"}
    answer = until(
        outside,
        lambda: outside.http("POST", f"{api}/api/token", headers, b""),
        # Not there yet: the host is starting, or the functions are not indexed.
        lambda answer: answer.status not in (0, 404, 500, 502, 503, 504),
    )
    if answer.status in REFUSED:
        outside.say(f"Probe: a forged principal is refused ({answer.status})")
        return []
    if answer.status in (0, 404, 500, 502, 503, 504):
        return [f"the function app does not answer at {api} (status {answer.status})."]
    return [
        f"A FORGED PRINCIPAL WAS BELIEVED: {api}/api/token answered {answer.status}. Anybody can "
        "call as anybody. Take the app off the network now (az functionapp stop), then see "
        "docs/operations.md, A forged principal is believed."
    ]


def page(outside: Outside, site: str) -> list[str]:
    """The page is there, and so are its headers."""
    answer = until(
        outside, lambda: outside.http("GET", f"{site}/"), lambda answer: answer.status == 200
    )
    if answer.status != 200:
        return [f"the page at {site} answers {answer.status}."]
    there = {name.lower() for name in answer.headers}
    missing = [name for name in HEADERS if name.lower() not in there]
    return [f"the page is served without {', '.join(missing)}."] if missing else []


def through_the_site(outside: Outside, site: str, *, open_to_all: bool) -> list[str]:
    """The API behind the site: healthy, and closed to strangers without sending them away."""
    wrong = health(outside, site)
    if open_to_all:
        return wrong
    answer = outside.http("POST", f"{site}/api/token", {"Accept": "application/json"}, b"")
    if answer.status in (301, 302, 303, 307, 308):
        wrong.append(
            "/api/token redirects strangers to a login page, which a fetch cannot follow; "
            "remove the override of 401 from staticwebapp.config.json."
        )
    elif answer.status not in REFUSED:
        wrong.append(f"/api/token answers a stranger with {answer.status}, not 401.")
    return wrong


def health(outside: Outside, base: str) -> list[str]:
    """/api/health, and what it says in depth where it says that to a stranger."""
    answer = until(
        outside,
        lambda: outside.http("GET", f"{base}/api/health"),
        lambda answer: answer.status == 200,
    )
    if answer.status != 200:
        said = answer.json()
        hint = said.get("hint") or said.get("detail") or "its log says why"
        return [f"{base}/api/health answers {answer.status}: {hint}"]
    deep = outside.http("GET", f"{base}/api/health/deep")
    if deep.status in REFUSED:
        outside.say(f"Probe: sign in as an admin and open {base}/api/health/deep for the rest")
    elif deep.status != 200:
        said = deep.body[:1000].decode(errors="replace")
        return [f"{base}/api/health/deep answers {deep.status}: {said}"]
    return []


if __name__ == "__main__":
    sys.exit(main(probe))
