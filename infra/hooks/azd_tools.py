"""Shared by the hooks: azd, Azure's management API, HTTPS and output.

A hook is a short program that azd runs with the environment's values as variables. Everything it
touches (the azd command, HTTPS, the clock) goes through one object, `Outside`, which tests replace.
Standard library only: hooks run before anything is installed.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

INFRA = Path(__file__).resolve().parent.parent
if str(INFRA.parent) not in sys.path:
    # For the modules of the app that hooks use, which need nothing installed either.
    sys.path.append(str(INFRA.parent))
MANAGEMENT = "https://management.azure.com"
TIMEOUT = timedelta(seconds=30)
# What MODEL_ROLE may be, narrowest first; docs/deploy.md compares them.
MODEL_ROLES = (
    "Cognitive Services OpenAI User",
    "Cognitive Services Data Contributor (Preview)",
    "Cognitive Services User",
)
PLACEHOLDER = re.compile(r"\$\{(\w+)(?:=([^}]*))?\}")


class Stop(Exception):
    """Stops the deployment; the message tells the user why and what to do."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response. Status 0: the server was not reached, and `body` says why."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as JSON; {} if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Returns redirects instead of following them to a login page."""

    def redirect_request(self, *_: Any) -> None:
        return None


def send_request(
    method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Answer:
    """Makes one HTTP request; failures are returned as an `Answer` too."""
    request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(request, timeout=TIMEOUT.total_seconds()) as answer:
            return Answer(answer.status, answer.read(), dict(answer.headers))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read(), dict(error.headers))
    except OSError as error:
        return Answer(0, str(error).encode())


def run_azd(arguments: Sequence[str]) -> str:
    """The stdout of `azd` with these arguments. Raises `Stop` with its error output."""
    program = shutil.which("azd")
    if program is None:
        raise Stop("azd is not on this hook's PATH.")
    done = subprocess.run(  # noqa: S603
        [program, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Stop(f"azd {arguments[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def say(message: str) -> None:
    """Prints a line for the user who runs azd."""
    sys.stdout.write(message + "\n")
    sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Outside:
    """Everything outside the process that a hook uses."""

    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    azd: Callable[[Sequence[str]], str] = run_azd
    http: Callable[..., Answer] = send_request
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = say

    def token(self, scope: str) -> str:
        """An Entra token of the user signed in to azd. Raises `Stop`."""
        try:
            return str(
                json.loads(self.azd(["auth", "token", "--scope", scope, "-o", "json"]))["token"]
            )
        except (ValueError, KeyError, Stop):
            raise Stop("Nobody is signed in to azd. Run: azd auth login") from None

    def manage(self, method: str, path: str, version: str) -> Answer:
        """Calls Azure's management API; `path` starts with /subscriptions."""
        headers = {"Authorization": "Bearer " + self.token(f"{MANAGEMENT}/.default")}
        joint = "&" if "?" in path else "?"
        url = f"{MANAGEMENT}{path}{joint}api-version={version}"
        return self.http(method, url, headers, b"" if method == "POST" else None)


def parameters(
    env: Mapping[str, str], file: Path = INFRA / "main.parameters.json"
) -> dict[str, str]:
    """The deployment's parameters as azd resolves them from `env`, as text."""
    found = json.loads(file.read_text(encoding="utf-8"))["parameters"]

    def filled(match: re.Match[str]) -> str:
        return env.get(match[1]) or match[2] or ""

    return {name: PLACEHOLDER.sub(filled, str(entry["value"])) for name, entry in found.items()}


def model_role(chosen: Mapping[str, str]) -> str:
    """The app's role on the model's account, as infra/modules/model-access.bicep chooses it."""
    default = MODEL_ROLES[0] if chosen["existingAiAccountName"] else MODEL_ROLES[-1]
    return chosen["modelRole"] or default


def main(hook: Callable[[Outside], None]) -> int:
    """Runs a hook and returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A Windows console may not support every character.
            stream.reconfigure(errors="replace")
    try:
        hook(Outside())
    except Stop as reason:
        sys.stderr.write(f"\n{reason}\n")
        return 1
    return 0
