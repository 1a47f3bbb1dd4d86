"""The stack: emulator, identity endpoint, function host and gateway, as child processes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal

from local.azure.managed_identity import IDENTITY_PATH
from local.common.child_process import Child, ChildEnded, OnLine
from local.readiness import FAILED, Say, StackError, wait_until_healthy
from realtime_emulator.serving import server

ROOT = Path(__file__).resolve().parent.parent
START = timedelta(minutes=2)
"""The limit for one part. A part that cannot start ends by itself; this one is for what hangs."""
GRACE_PERIOD = timedelta(seconds=1.5)
"""How long a part may take to end by itself before it is killed."""

Provider = Literal["azure", "openai"]

# Credentials and endpoints that could lead a local run to a real account.
NOT_INHERITED = re.compile(
    r"AZURE_.*|IDENTITY_.*|MSI_.*|KEY_VAULT_.*|REALTIME_(API_KEY.*|ENDPOINTS?|PROVIDER|MODEL|"
    r"TOKEN_SCOPE|TRANSCRIPTION_MODEL)|CALLER_AUTH|WEBSITE_.*",
    re.IGNORECASE,
)
# Without sign-in, all users are the same caller and would soon reach the usual limits.
ROOMY = {"LIMIT_STARTS_PER_MINUTE": "120", "LIMIT_LIVE_CALLS": "40"}


def limits_given() -> dict[str, str]:
    """The limits set in the environment."""
    return {name: value for name, value in os.environ.items() if name.startswith("LIMIT_")}


class Stack:
    """Runs all parts, as an async context manager. Once entered, calls can be made at `url`.

    `env` is added to the function app's environment and overrides everything else. `emulator`,
    `app` and `site` are for tests: the module to run as the emulator, the folder of function_app.py
    and that of the page. The page may be opened by the names in `allow_hosts`, besides localhost.
    `endpoints` is how many emulators there are; the broker shares calls out over all.
    `say` receives a line about each step, `on_line` each line of a part's log.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        provider: Provider = "azure",
        endpoints: int = 1,
        login: bool = False,
        env: Mapping[str, str] | None = None,
        verbose: bool = False,
        allow_hosts: Sequence[str] = (),
        emulator: str = "realtime_emulator",
        app: Path = ROOT,
        site: Path = ROOT / "frontend",
        say: Say = lambda _: None,
        on_line: OnLine = lambda *_: None,
    ) -> None:
        self.url = self.emulator_url = self.host_url = self.identity_url = ""
        self.emulator_urls: list[str] = []
        self.children: list[Child] = []
        self.port = port
        self.provider = provider
        self.endpoints = endpoints
        self.login = login
        self.env = dict(env or {})
        self.verbose = verbose
        self.allow_hosts = tuple(arg for name in allow_hosts for arg in ("--allow-host", name))
        self.emulator = emulator
        self.app = app
        self.site = site
        self.say = say
        self.on_line = on_line
        self.identity_header = secrets.token_hex(16)

    async def __aenter__(self) -> Stack:
        try:
            await self.start_parts()
        except BaseException:
            await self.stop_parts()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop_parts()

    async def wait_for_loss(self) -> StackError:
        """Waits until a part exits by itself, and returns the error that names it."""
        waiting = [asyncio.create_task(child.wait_for_end()) for child in self.children]
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            ended = next(iter(done)).result()
            return StackError(f"{ended}.", ended.lines)
        finally:
            for task in waiting:
                task.cancel()

    async def start_parts(self) -> None:
        base = {k: v for k, v in os.environ.items() if not NOT_INHERITED.fullmatch(k)}
        base["PYTHONPATH"] = os.pathsep.join(p for p in (str(ROOT), base.get("PYTHONPATH")) if p)
        base["NO_PROXY"] = ",".join(p for p in ("127.0.0.1,localhost", base.get("NO_PROXY")) if p)
        base["no_proxy"] = base["NO_PROXY"]
        log = ("--verbose",) if self.verbose else ()
        numbers = range(1, self.endpoints + 1)
        names = [f"emulator-{n}" for n in numbers] if self.endpoints > 1 else ["emulator"]
        emulated = ("--port", "0", "--provider", self.provider, *log)
        *self.emulator_urls, self.identity_url = await asyncio.gather(
            *(self.run_part(name, base, self.emulator, *emulated) for name in names),
            self.run_part(
                "identity",
                {**base, "IDENTITY_HEADER": self.identity_header},
                "local.azure.managed_identity",
                *("--port", "0", "--log", "info" if self.verbose else "warning"),
            ),
        )
        self.emulator_url = self.emulator_urls[0]
        self.host_url = await self.run_part(
            "host",
            {**base, **self.host_environment()},
            "local.host",
            *("--port", "0", "--app", str(self.app), "--without-local-settings"),
            *self.allow_hosts,
        )
        self.url = await self.run_part(
            "gateway",
            base,
            "local.gateway",
            *("--port", str(self.port), "--site", str(self.site), "--api", self.host_url),
            *("--roles", "on" if self.login else "off"),
            *(arg for url in self.emulator_urls for arg in ("--connect-src", url)),
            *self.allow_hosts,
        )
        await wait_until_healthy(self.url, self.wait_for_loss, START, self.say)

    def host_environment(self) -> dict[str, str]:
        """The app settings that point the function app at the local parts."""
        auth = "static-web-apps" if self.login else "static-web-apps,anonymous"
        settings = {
            "REALTIME_PROVIDER": self.provider,
            "REALTIME_ENDPOINT": self.emulator_url,
            "REALTIME_MODEL": "gpt-realtime-1.5",
            "REALTIME_TRANSCRIPTION_MODEL": "gpt-realtime-whisper",
            "CALLER_AUTH": auth,
            "IDENTITY_ENDPOINT": self.identity_url + IDENTITY_PATH,
            "IDENTITY_HEADER": self.identity_header,
        }
        if self.provider == "openai":  # OpenAI has no Entra sign-in, only keys
            settings["REALTIME_API_KEY"] = f"sk-local-{secrets.token_hex(16)}"
        if self.endpoints > 1:
            del settings["REALTIME_ENDPOINT"]
            listed = [
                {"name": f"local-{number}", "endpoint": url, "provider": self.provider}
                for number, url in enumerate(self.emulator_urls, start=1)
            ]
            settings["REALTIME_ENDPOINTS"] = json.dumps(listed)
        return {**ROOMY, **limits_given(), **settings, **self.env}

    async def run_part(
        self, name: str, environment: Mapping[str, str], module: str, *arguments: str
    ) -> str:
        started = time.monotonic()
        child = await Child.start(
            name,
            (sys.executable, "-m", module, *arguments, "--exit-with-parent"),
            environment=environment,
            folder=ROOT,
            on_line=self.on_line,
        )
        self.children.append(child)
        try:
            url = await child.wait_until_ready(START)
        except ChildEnded as ended:
            # It has printed the reason, and a retry would print the same.
            code = ended.code if ended.code == server.CANNOT_START else FAILED
            raise StackError(f"{ended}.", ended.lines, code) from ended
        except TimeoutError as error:
            raise StackError(f"{error}.", list(child.lines)) from error
        self.say(f"{name} at {url} ({time.monotonic() - started:.1f} s)")
        return url

    async def stop_parts(self) -> None:
        await asyncio.gather(*(child.stop(GRACE_PERIOD) for child in self.children))
