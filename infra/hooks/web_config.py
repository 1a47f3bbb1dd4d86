"""predeploy of the page: copies frontend/ and its configuration to infra/site, which is deployed.

staticwebapp.config.json depends on the deployment: the Content-Security-Policy names exactly the
endpoints that the page uses, and the routes require the roles that CALLER_AUTH implies.
frontend/staticwebapp.config.json is the template and is not changed.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from azd_tools import INFRA, Outside, Stop, main, parameters

CONFIG_FILE = "staticwebapp.config.json"
KEPT_FILE = "robots.txt"
NOT_SERVED = shutil.ignore_patterns(
    *(CONFIG_FILE, "jsconfig.json"),
    # The npm package's.
    *("package.json", "README.md", "LICENSE", "*.d.ts", "types", "*.tgz"),
)
CSP = "Content-Security-Policy"
OPEN = ["anonymous"]
SIGNED_IN = ["authenticated"]
ADMIN = "admin"


def web_config(
    outside: Outside, frontend: Path = INFRA.parent / "frontend", site: Path = INFRA / "site"
) -> None:
    """Fills `site`. Raises `Stop` if the deployment's outputs are missing."""
    for name in ("REALTIME_ENDPOINT", "SERVICE_API_URI"):
        if not outside.env.get(name):
            raise Stop(f"{name} is not set: run azd provision first.")
    template = json.loads((frontend / CONFIG_FILE).read_text(encoding="utf-8"))
    config = make_site_config(template, outside.env)
    clear_folder(site)
    shutil.copytree(frontend, site, dirs_exist_ok=True, ignore=NOT_SERVED)
    (site / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    outside.say(f"Page: {config['globalHeaders'][CSP]}")


def clear_folder(site: Path) -> None:
    """Empties the folder, except for the file kept in the repository."""
    for path in site.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != KEPT_FILE:
            path.unlink()


def make_site_config(template: Mapping[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """The template with this deployment's endpoints, roles and sign-in."""
    config: dict[str, Any] = json.loads(json.dumps(template))
    headers = config["globalHeaders"]
    headers[CSP] = with_connect_src(headers[CSP], page_origins(env))
    headers["Strict-Transport-Security"] = "max-age=31536000"
    for route in config["routes"]:
        if route.get("allowedRoles") == SIGNED_IN:
            route["allowedRoles"] = api_roles(env)
    if env.get("SIGN_IN_CLIENT_ID"):
        tenant = env.get("SIGN_IN_TENANT_ID") or env.get("AZURE_TENANT_ID")
        if not tenant:
            raise Stop(
                "SIGN_IN_CLIENT_ID is set, and the tenant of that registration is not known. Run: "
                "azd env set SIGN_IN_TENANT_ID …"
            )
        # A custom registration disables all built-in providers.
        config["auth"] = {
            "identityProviders": {
                "azureActiveDirectory": {
                    "registration": {
                        "openIdIssuer": f"https://login.microsoftonline.com/{tenant}/v2.0",
                        "clientIdSettingName": "SIGN_IN_CLIENT_ID",
                        "clientSecretSettingName": "SIGN_IN_CLIENT_SECRET",
                    }
                }
            }
        }
    return config


def page_origins(env: Mapping[str, str]) -> list[str]:
    """The origins that the page may connect to, besides its own."""
    found: list[str] = []
    chosen = parameters(env)
    if chosen["tokenEndpoint"].lower() == "on":
        several = env.get("MODEL_ENDPOINTS", "").split(",")
        first = chosen["realtimeGatewayEndpoint"] or env["REALTIME_ENDPOINT"]
        found += dict.fromkeys(origin(each) for each in (first, *several) if each)
    if env.get("WEB_BACKEND_LINKED", "true").lower() != "true":
        found.append(origin(env["SERVICE_API_URI"]))
    return found


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def with_connect_src(policy: str, origins: list[str]) -> str:
    """The policy, allowing connections to exactly these origins and the page's own."""
    wanted = " ".join(["connect-src 'self'", *origins])
    changed, times = re.subn(r"connect-src [^;]*", lambda _: wanted, policy)
    if times != 1:
        raise Stop(f"The Content-Security-Policy of frontend/{CONFIG_FILE} has no connect-src.")
    return changed


def api_roles(env: Mapping[str, str]) -> list[str]:
    """The roles that the site requires for the API.

    Static Web Apps sends a principal only on routes that exclude `anonymous`. If callers present
    their own token to the broker, or none at all, the site has to let everyone through.
    """
    methods = {each.strip() for each in parameters(env)["callerAuth"].split(",")}
    if "anonymous" in methods or "static-web-apps" not in methods:
        return OPEN
    wanted = [each.strip() for each in env.get("WEB_CALLER_ROLES", "").split(",") if each.strip()]
    return [*dict.fromkeys([*wanted, ADMIN])] if wanted else SIGNED_IN


if __name__ == "__main__":
    sys.exit(main(web_config))
