"""What the hooks share: azd, Azure's management API, plain HTTPS, and words for people.

A hook is a short program that azd runs with the environment's values as variables. Its edges (the
azd command, HTTPS, the clock) are one object, `Outside`, so that tests can stand in for all of
them. The standard library alone: a hook runs before anything is installed.
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
MANAGEMENT = "https://management.azure.com"
TIMEOUT = timedelta(seconds=30)
PLACE = re.compile(r"\$\{(\w+)(?:=([^}]*))?\}")


class Stop(Exception):
    """Why the deployment must not go on, and what to do, in words for the person who runs it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP server said. Status 0: it was not reached, and `body` says why."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as JSON; {} if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Gives redirects back as answers: a login page is not what was asked for."""

    def redirect_request(self, *_: Any) -> None:
        return None


def http(
    method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Answer:
    """One HTTP request; whatever comes back is an `Answer`, failures too."""
    request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(request, timeout=TIMEOUT.total_seconds()) as answer:
            return Answer(answer.status, answer.read(), dict(answer.headers))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read(), dict(error.headers))
    except OSError as error:
        return Answer(0, str(error).encode())


def azd(arguments: Sequence[str]) -> str:
    """What `azd` with these arguments says on stdout. Raises `Stop` with what it said instead."""
    program = shutil.which("azd")
    if program is None:
        raise Stop("azd is not on the PATH of this hook.")
    done = subprocess.run(  # noqa: S603
        [program, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Stop(f"azd {arguments[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def say(words: str) -> None:
    """A line for the person who runs azd."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Outside:
    """Everything a hook touches."""

    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    azd: Callable[[Sequence[str]], str] = azd
    http: Callable[..., Answer] = http
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = say

    def token(self, scope: str) -> str:
        """An Entra token of whoever is signed in to azd. Raises `Stop`."""
        try:
            return str(
                json.loads(self.azd(["auth", "token", "--scope", scope, "-o", "json"]))["token"]
            )
        except (ValueError, KeyError, Stop):
            raise Stop("azd has no one signed in. Run: azd auth login") from None

    def manage(self, method: str, path: str, version: str) -> Answer:
        """One call of Azure's management API; `path` starts with /subscriptions."""
        headers = {"Authorization": "Bearer " + self.token(f"{MANAGEMENT}/.default")}
        joint = "&" if "?" in path else "?"
        url = f"{MANAGEMENT}{path}{joint}api-version={version}"
        return self.http(method, url, headers, b"" if method == "POST" else None)


def parameters(
    env: Mapping[str, str], file: Path = INFRA / "main.parameters.json"
) -> dict[str, str]:
    """The deployment's parameters as azd will fill them in from `env`, each as text."""
    found = json.loads(file.read_text(encoding="utf-8"))["parameters"]

    def filled(match: re.Match[str]) -> str:
        return env.get(match[1]) or match[2] or ""

    return {name: PLACE.sub(filled, str(entry["value"])) for name, entry in found.items()}


def main(hook: Callable[[Outside], None]) -> int:
    """Runs a hook; gives its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A console of Windows may not have every letter.
            stream.reconfigure(errors="replace")
    try:
        hook(Outside())
    except Stop as reason:
        sys.stderr.write(f"\n{reason}\n")
        return 1
    return 0
