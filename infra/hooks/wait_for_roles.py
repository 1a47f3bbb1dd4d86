"""postprovision: waits until the new role assignments take effect.

Azure takes up to several minutes. Before that, storage refuses the app's package and the model
refuses the first calls. The deploying user was assigned the same role on the model at the same time
as the app, so when it works for the user it very likely works for the app; nothing closer can be
observed from outside.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta

from azd_tools import Outside, Stop, main, parameters

MAX_WAIT = timedelta(minutes=10)
RETRY_INTERVAL = timedelta(seconds=15)
# Storage cannot be tested from outside: only the app's identity has a role there.
STORAGE_WAIT = timedelta(seconds=60)
SETTLED_SETTING = "ROLES_SETTLED_FOR"


def wait_for_roles(outside: Outside) -> None:
    """Returns once the model's endpoint has minted a key. Raises `Stop` if it never does."""
    app = outside.env.get("SERVICE_API_NAME", "")
    if outside.env.get(SETTLED_SETTING) == app != "":
        outside.say("Roles: already in effect since the last deployment")
        return
    if not parameters(outside.env)["principalId"]:
        outside.say("Roles: AZURE_PRINCIPAL_ID is not set, so only waiting for storage")
    else:
        wait_for_model(outside)
    outside.say(f"Roles: waiting another {STORAGE_WAIT.total_seconds():.0f} s for storage")
    outside.sleep(STORAGE_WAIT.total_seconds())
    outside.azd(["env", "set", SETTLED_SETTING, app])


def wait_for_model(outside: Outside) -> None:
    """Requests ten-second keys, which cost nothing, until one is minted."""
    model = outside.env["REALTIME_MODEL"]
    url = outside.env["REALTIME_ENDPOINT"] + "/openai/v1/realtime/client_secrets"
    body = {
        "expires_after": {"anchor": "created_at", "seconds": 10},
        "session": {"type": "realtime", "model": model},
    }
    left = MAX_WAIT
    while True:
        headers = {
            "Authorization": "Bearer " + outside.token(outside.env["REALTIME_TOKEN_SCOPE"]),
            "Content-Type": "application/json",
        }
        answer = outside.http("POST", url, headers, json.dumps(body).encode())
        if answer.status == 200:
            outside.say(f"Roles: in effect; {model} answers")
            return
        if answer.status == 429:
            outside.say("Roles: in effect; the model's quota is currently exhausted")
            return
        if left <= timedelta(0):
            raise Stop(
                f"The model's endpoint still answers {answer.status} for {model} after "
                f"{MAX_WAIT.total_seconds() / 60:.0f} minutes. 401 or 403: the role on the account "
                "(docs/operations.md, The model's endpoint refuses the broker). 404: the name of "
                "the deployment. 0: the network of this machine. Then run: azd hooks run "
                "postprovision"
            )
        outside.say(f"Roles: waiting, the model's endpoint answers {answer.status}")
        outside.sleep(RETRY_INTERVAL.total_seconds())
        left -= RETRY_INTERVAL


if __name__ == "__main__":
    sys.exit(main(wait_for_roles))
