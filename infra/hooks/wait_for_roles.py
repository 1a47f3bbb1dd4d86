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

from azd_tools import MODEL_ROLES, Outside, Stop, main, model_role, parameters

MAX_WAIT = timedelta(minutes=10)
RETRY_INTERVAL = timedelta(seconds=15)
# Storage cannot be tested from outside: only the app's identity has a role there.
STORAGE_WAIT = timedelta(seconds=60)
SETTLED_SETTING = "ROLES_SETTLED_FOR"


def wait_for_roles(outside: Outside) -> None:
    """Returns once the model's endpoint has minted a key. Raises `Stop` if it never does."""
    chosen = parameters(outside.env)
    app = outside.env.get("APP_PRINCIPAL_ID", "")
    # The identity is in it because `azd down` keeps this value and deletes the identity.
    settled = f"{app}: {model_role(chosen)}"
    if app and outside.env.get(SETTLED_SETTING) == settled:
        outside.say("Roles: already in effect since the last deployment")
        return
    # Not AZURE_PRINCIPAL_ID, which azd does not store and hooks do not get.
    if not outside.env.get("MODEL_USER_ID"):
        outside.say("Roles: nobody but the app may use the model, so only waiting for storage")
    else:
        wait_for_model(outside, model_role(chosen))
    outside.say(f"Roles: waiting another {STORAGE_WAIT.total_seconds():.0f} s for storage")
    outside.sleep(STORAGE_WAIT.total_seconds())
    outside.azd(["env", "set", SETTLED_SETTING, settled])


def wait_for_model(outside: Outside, role: str) -> None:
    """Requests ten-second keys, which cost nothing, until one is minted. `role` is the user's."""
    model = outside.env["REALTIME_MODEL"]
    url = outside.env["REALTIME_ENDPOINT"] + "/openai/v1/realtime/client_secrets"
    body = {
        "expires_after": {"anchor": "created_at", "seconds": 10},
        "session": {"type": "realtime", "model": model},
    }
    left = MAX_WAIT
    while True:
        headers = {
            "Authorization": "Bearer " + outside.token(outside.env["MODEL_TOKEN_SCOPE"]),
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
                "postprovision" + wider_role(answer.status, role)
            )
        outside.say(f"Roles: waiting, the model's endpoint answers {answer.status}")
        outside.sleep(RETRY_INTERVAL.total_seconds())
        left -= RETRY_INTERVAL


def wider_role(status: int, role: str) -> str:
    """What else to try if the role may be the reason; "" if it is not, or no role is wider."""
    if status not in (401, 403) or role == MODEL_ROLES[-1]:
        return ""
    wider = MODEL_ROLES[MODEL_ROLES.index(role) + 1]
    return (
        f'. If it still refuses, "{role}" may be too narrow (docs/deploy.md, The role on the '
        f'account). Run: azd env set MODEL_ROLE "{wider}", then azd provision'
    )


if __name__ == "__main__":
    sys.exit(main(wait_for_roles))
