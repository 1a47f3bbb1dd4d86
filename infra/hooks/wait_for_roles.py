"""postprovision: waits until the roles just given are in force.

Azure needs up to some minutes for that. Deployed too early, the app's package is refused by storage
and the first calls are refused by the model. Whoever deploys got the same role on the model at the
same time as the app, so their turn shows that the app's has come, as nearly as can be seen from
outside.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta

from azd_tools import Outside, Stop, main, parameters

PATIENCE = timedelta(minutes=10)
AGAIN = timedelta(seconds=15)
# Storage's turn cannot be seen from outside: the app's identity alone has a role there.
STORAGE = timedelta(seconds=60)
SETTLED = "ROLES_SETTLED_FOR"


def wait_for_roles(outside: Outside) -> None:
    """Returns once a key could be minted at the model's endpoint. Raises `Stop` if it never can."""
    app = outside.env.get("SERVICE_API_NAME", "")
    if outside.env.get(SETTLED) == app != "":
        outside.say("Roles: in force since the last deployment")
        return
    if not parameters(outside.env)["principalId"]:
        outside.say("Roles: AZURE_PRINCIPAL_ID is not set, so only storage's minute is waited for")
    else:
        wait_for_the_model(outside)
    outside.say(f"Roles: giving storage's another {STORAGE.total_seconds():.0f} s")
    outside.sleep(STORAGE.total_seconds())
    outside.azd(["env", "set", SETTLED, app])


def wait_for_the_model(outside: Outside) -> None:
    """Mints keys of ten seconds, which cost nothing, until one is given."""
    model = outside.env["REALTIME_MODEL"]
    url = outside.env["REALTIME_ENDPOINT"] + "/openai/v1/realtime/client_secrets"
    body = {
        "expires_after": {"anchor": "created_at", "seconds": 10},
        "session": {"type": "realtime", "model": model},
    }
    left = PATIENCE
    while True:
        headers = {
            "Authorization": "Bearer " + outside.token(outside.env["REALTIME_TOKEN_SCOPE"]),
            "Content-Type": "application/json",
        }
        answer = outside.http("POST", url, headers, json.dumps(body).encode())
        if answer.status == 200:
            outside.say(f"Roles: {model} answers")
            return
        if answer.status == 429:
            outside.say("Roles: in force, the model's quota is used up at the moment")
            return
        if left <= timedelta(0):
            raise Stop(
                f"The model's endpoint still answers {answer.status} for {model} after "
                f"{PATIENCE.total_seconds() / 60:.0f} minutes. 401 or 403: the role on the account "
                "(docs/operations.md, The model's endpoint refuses the broker). 404: the name of "
                "the deployment. 0: the network of this machine. Then run: azd hooks run "
                "postprovision"
            )
        outside.say(f"Roles: waiting, the model's endpoint answers {answer.status}")
        outside.sleep(AGAIN.total_seconds())
        left -= AGAIN


if __name__ == "__main__":
    sys.exit(main(wait_for_roles))
