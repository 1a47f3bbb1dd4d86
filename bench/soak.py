"""Mixed load while things break, and an account of all of it at the end.

    python -m bench.soak [--seconds 60]

Two hosts on one Azurite, the emulator as the model's endpoint. Meanwhile upstream refuses, resets
and stalls, storage goes away twice, and each host is killed once and started again. Then all is
healed, and it must come out even: every request got a documented answer (or none, from a host that
was killed under it), every call that a caller was given is on record and over, the ledger counts
nothing, the emulator has no call left, and no process or port remains.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from bench.processes import PROC, module, server
from bench.relay import Relay
from bench.sides import Say, free_port
from local.processes import Child
from shared.accounts import Account
from shared.ledger import PARTITION
from shared.problems import CATALOGUE
from shared.storage.azure import open_storage
from tests.contract.azurite import ACCOUNT, KEY, NoAzurite, start_azurite, stop
from tests.contract.emulator.caller import Caller

CALLERS = 12
CALL_SECONDS = 20
CONNECT_SECONDS = 30
OUTAGE = 3.0
SECRET = "the secret of the broker in the soak"
NOTHING = "no answer"
GRACE = 4.0
"""For so long around a host's death a request to it may go without an answer, in seconds."""
FAULTS: Mapping[str, list[dict[str, Any]]] = {
    "client_secrets": [
        {"status": 429, "retry_after": 0.2, "every": 3},
        {"reset": True, "every": 5},
    ],
    "calls": [
        {"status": 429, "retry_after": 1, "every": 11},
        {"status": 500, "every": 13},
        {"status": 401, "every": 17},
        {"reset": True, "every": 19},
        {"delay_seconds": 17, "every": 43},
    ],
    "hangup": [{"status": 500, "every": 5}, {"reset": True, "every": 7}],
    "sideband": [{"status": 500, "every": 7}, {"drop_after_seconds": 1, "every": 3}],
}
HEALED: dict[str, list[Any]] = {route: [] for route in FAULTS}
STATUSES = {"connect": 201, "token": 200, "hang up": 204, "look": 200, "list": 200}
# What may have begun a call that nobody was told of.
UNTOLD = ("upstream_timeout", "upstream_unreachable", "storage_unavailable", NOTHING)


def principal(user: str, *roles: str) -> dict[str, str]:
    content = {
        "identityProvider": "aad",
        "userId": user,
        "userDetails": user,
        "userRoles": ["anonymous", "authenticated", *roles],
    }
    return {"x-ms-client-principal": base64.b64encode(json.dumps(content).encode()).decode()}


ADMIN = principal("soak-admin", "admin")


@dataclass
class Ledger:
    """What was sent, what came back, and what should not have been."""

    came: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    given: list[tuple[str, str]] = field(default_factory=list)
    untold: int = 0


@dataclass
class Host:
    """One host: killed and started again on the same port."""

    number: int
    port: int
    environment: Mapping[str, str]
    child: Child | None = None
    died: float = -1e9
    back: float = -1e9

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        from bench.processes import ROOT, START, clean_environment, quiet

        arguments = ("--port", str(self.port), "--exit-with-parent", "--without-local-settings")
        self.child = await Child.start(
            f"host {self.number}",
            module("local.host", *arguments, "--log", "warning"),
            environment=clean_environment(self.environment),
            folder=ROOT,
            hear=quiet,
        )
        await self.child.ready(START)
        self.back = time.monotonic()

    async def kill(self) -> None:
        """SIGKILL, in the middle of everything."""
        assert self.child is not None
        self.died, self.back = time.monotonic(), float("inf")
        self.child.process.kill()
        await self.child.stop()

    async def stop(self) -> None:
        if self.child is not None:
            await self.child.stop()

    def down_about(self, moment: float) -> bool:
        return self.died - 20 <= moment <= self.back + GRACE and self.died > 0


class Soak:
    """One run."""

    def __init__(self, say: Say, seconds: float) -> None:
        self.say = say
        self.seconds = seconds
        self.account = Ledger()
        self.hosts: list[Host] = []
        self.relays: list[Relay] = []
        self.emulator = ""
        self.offer = ""
        self.session: aiohttp.ClientSession
        self.events: list[str] = []
        self.began = time.monotonic()

    def happened(self, words: str) -> None:
        text = f"{time.monotonic() - self.began:5.1f} s  {words}"
        self.events.append(text)
        self.say("  " + text)

    async def ask(
        self, what: str, method: str, path: str, headers: Mapping[str, str], body: str | None = None
    ) -> tuple[int, str, Mapping[str, str]]:
        """One request to one of the hosts; its answer goes into the account."""
        host = random.choice(self.hosts)
        limit = aiohttp.ClientTimeout(total=60)
        try:
            async with self.session.request(
                method, host.url + path, headers=headers, data=body, timeout=limit
            ) as answer:
                text = await answer.text()
                status, got = answer.status, answer.headers
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.account.came[f"{what}: {NOTHING}"] += 1
            if what in ("connect", "token"):
                self.account.untold += 1
            if not host.down_about(time.monotonic()):
                self.account.wrong.append(f"{what}: {NOTHING} ({type(error).__name__})")
            return 0, "", {}
        code = ""
        if status >= 400:
            try:
                code = json.loads(text)["code"]
            except (ValueError, KeyError):
                code = "(no problem)"
            if code not in CATALOGUE or code == "internal_error":
                self.account.wrong.append(f"{what}: {status} {code} {text[:80]}")
        elif status != STATUSES.get(what):
            self.account.wrong.append(f"{what}: {status}")
        if what == "connect" and code in UNTOLD:
            self.account.untold += 1
        self.account.came[f"{what}: {status} {code}".strip()] += 1
        return status, text, got

    async def caller(self, number: int, until: float) -> None:
        """One person and what they do, one thing after another."""
        me, sdp = principal(f"soak-{number}"), {"Content-Type": "application/sdp"}
        mine: list[str] = []
        while time.monotonic() < until:
            dice = random.random()
            if dice < 0.45 or not mine:
                _, _, got = await self.ask(
                    "connect", "POST", "/api/connect", {**me, **sdp}, self.offer
                )
                if place := got.get("Location"):
                    mine.append(place)
                    self.account.given.append((f"soak-{number}", place))
            elif dice < 0.70:
                await self.ask("hang up", "POST", f"{mine.pop(0)}/hangup", me)
            elif dice < 0.80:
                await self.ask("look", "GET", random.choice(mine), me)
            elif dice < 0.87:
                await self.ask("token", "POST", "/api/token", principal(f"soak-key-{number}"))
            elif dice < 0.91:
                broken = self.offer.replace("m=audio", "m=video")
                await self.ask("broken offer", "POST", "/api/connect", {**me, **sdp}, broken)
            elif dice < 0.94:
                await self.ask("nobody", "POST", "/api/connect", sdp, self.offer)
            elif dice < 0.97:
                foreign = {**me, **sdp, "Origin": "https://elsewhere.example"}
                await self.ask("foreign page", "POST", "/api/connect", foreign, self.offer)
            else:
                await self.ask("list", "GET", "/api/calls?limit=20", ADMIN)
            await asyncio.sleep(random.uniform(0.05, 0.2))

    async def trouble(self) -> None:
        """What goes wrong, and when."""
        await self.script(faults=FAULTS, connect_seconds=CONNECT_SECONDS)
        self.happened("upstream refuses, resets and stalls from now on")
        step = self.seconds / 6
        for number in (0, 1):
            await asyncio.sleep(step)
            await self.outage()
            await asyncio.sleep(step)
            await self.hosts[number].kill()
            self.happened(f"host {number + 1} killed")
            await asyncio.sleep(2)
            await self.hosts[number].start()
            self.happened(f"host {number + 1} started again")

    async def outage(self) -> None:
        for relay in self.relays:
            relay.cut = True
            relay.sever()
        self.happened(f"storage away for {OUTAGE:g} s")
        await asyncio.sleep(OUTAGE)
        for relay in self.relays:
            relay.cut = False

    async def script(self, **changes: Any) -> None:
        async with self.session.patch(f"{self.emulator}/emulator", json=changes) as answer:
            answer.raise_for_status()

    async def state(self) -> dict[str, Any]:
        async with self.session.get(f"{self.emulator}/emulator") as answer:
            return dict(await answer.json())

    async def records(self) -> list[dict[str, Any]]:
        """All calls on record, page by page."""
        found: list[dict[str, Any]] = []
        before = ""
        while True:
            query = {"limit": "200", **({"before": before} if before else {})}
            url = self.hosts[0].url + "/api/calls"
            async with self.session.get(url, params=query, headers=ADMIN) as answer:
                page = await answer.json()
            found += page["calls"]
            before = page.get("next") or ""
            if not before:
                return found

    async def at_peace(self, storage: Any) -> dict[str, Any]:
        """Waits, healed, until nothing is live any more, a while at most; gives what is left."""
        await self.script(faults=HEALED)
        self.happened("all healed; waiting for the last calls to end")
        until = time.monotonic() + CALL_SECONDS + CONNECT_SECONDS + 40
        while True:
            records = await self.records()
            rows = await asyncio.to_thread(storage.table("ledger").query, PARTITION)
            now = int(datetime.now(UTC).timestamp() * 1000)
            state = await self.state()
            left = {
                "emulator_live": state["live_calls"],
                "records_live": sum(one["status"] != "ended" for one in records),
                "ledger_live": sum(len(Account.read(row.values).live(now)) for row in rows),
            }
            if not any(left.values()) or time.monotonic() > until:
                return {**left, "started": state["started_calls"], "records": len(records)}
            await asyncio.sleep(1)

    async def given_are_over(self) -> int:
        """How many of the calls that callers were given are not on record as over."""
        wrong = 0
        for user, place in self.account.given:
            async with self.session.get(
                self.hosts[1].url + place, headers=principal(user)
            ) as answer:
                wrong += answer.status != 200 or (await answer.json())["status"] != "ended"
        return wrong


def handles_of(pid: int) -> int | None:
    """Open files and sockets of a process."""
    folder = PROC / str(pid) / "fd"
    return len(list(folder.iterdir())) if folder.is_dir() else None


async def run(say: Say, *, seconds: float) -> dict[str, Any]:
    """The soak; `even` says whether everything came out even, `wrong` what did not."""
    try:
        azurite, process = start_azurite()
    except NoAzurite as reason:
        say(f"  skipped: {reason}")
        return {"skipped": str(reason)}
    soak = Soak(say, seconds)
    loop = asyncio.get_running_loop()
    try:
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            ports = (azurite.blob_port, azurite.queue_port, azurite.table_port)
            soak.relays = [await enter(Relay(port)) for port in ports]
            command = module("local.emulator", "--port", "0", "--exit-with-parent")
            soak.emulator, emulator = await enter(server("emulator", command))
            soak.session = await enter(
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
            )
            caller = Caller()
            soak.offer = await caller.offer()
            environment = settings(soak.emulator, soak.relays)
            soak.hosts = [Host(number + 1, free_port(), environment) for number in range(2)]
            for host in soak.hosts:
                await host.start()
                stack.push_async_callback(host.stop)
            pids = [emulator.process.pid, process.pid]
            soak.began = loop.time()
            until = time.monotonic() + seconds
            await asyncio.gather(
                soak.trouble(), *(soak.caller(number, until) for number in range(CALLERS))
            )
            storage = open_storage(azurite.connection)
            left = await soak.at_peace(storage)
            not_over = await soak.given_are_over()
            poison = await asyncio.to_thread(poisoned, storage)
            handles = [handles_of(host.child.process.pid) for host in soak.hosts if host.child]
            pids += [host.child.process.pid for host in soak.hosts if host.child]
            await caller.close()
    finally:
        stop(process)
    taken = [port for port in (*ports, *(host.port for host in soak.hosts)) if listens(port)]
    alive = [pid for pid in pids if PROC.is_dir() and (PROC / str(pid)).exists()]
    account = soak.account
    untold = left["started"] - left["records"]
    wrong = [
        *account.wrong,
        *(
            f"{name}: {number}"
            for name, number in left.items()
            if name.endswith("_live") and number
        ),
        *([f"{not_over} calls of callers are not over on record"] if not_over else []),
        *([f"{untold} calls upstream that no record has"] if untold > account.untold else []),
        *([f"ports still taken: {taken}"] if taken else []),
        *([f"{len(alive)} processes left"] if alive else []),
    ]
    return {
        "seconds": seconds,
        "events": soak.events,
        "came": dict(sorted(account.came.items())),
        "requests": sum(account.came.values()),
        "calls_given": len(account.given),
        "calls_on_record": left["records"],
        "calls_upstream": left["started"],
        "may_be_untold": account.untold,
        "host_handles": handles,
        "set_aside": poison,
        "wrong": wrong,
        "even": not wrong,
    }


def poisoned(storage: Any) -> list[str]:
    """Which queues have given messages up. Each names a call; whether that is over is told by its
    record, so this is for information."""
    return [
        name
        for name in ("end-call", "observe-call")
        for _ in storage.queue(f"{name}-poison").receive(visibility=timedelta(seconds=1), limit=32)
    ]


def listens(port: int) -> bool:
    import socket

    with socket.socket() as trying:
        trying.settimeout(0.2)
        return trying.connect_ex(("127.0.0.1", port)) == 0


def settings(emulator: str, relays: list[Relay]) -> dict[str, str]:
    blob, queue, table = (f"http://127.0.0.1:{relay.port}/{ACCOUNT}" for relay in relays)
    return {
        "REALTIME_ENDPOINT": emulator,
        "REALTIME_MODEL": "gpt-realtime",
        "REALTIME_TRANSCRIPTION_MODEL": "gpt-realtime-whisper",
        "REALTIME_API_KEY": "of-the-soak",
        "CALLER_AUTH": "static-web-apps",
        "BROKER_SECRET": SECRET,
        "LIMIT_STARTS_PER_MINUTE": "40",
        "LIMIT_LIVE_CALLS": "4",
        "LIMIT_CALL_SECONDS": str(CALL_SECONDS),
        "TOKEN_SECONDS": "10",
        "OBSERVER": "eager",
        "TRANSCRIPTS": "on",
        "AzureWebJobsStorage": (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint={blob};QueueEndpoint={queue};TableEndpoint={table};"
        ),
    }


def shown(found: Mapping[str, Any]) -> str:
    """The account, for people."""
    if "skipped" in found:
        return f"skipped: {found['skipped']}"
    lines = [f"  {number:>6}  {what}" for what, number in found["came"].items()]
    lines += [
        f"  {found['requests']:>6}  requests in all",
        f"  {found['calls_upstream']} calls upstream, {found['calls_on_record']} on record, "
        f"{found['calls_given']} given to callers; {found['may_be_untold']} requests may have "
        "begun one untold",
        f"  messages set aside: {', '.join(found['set_aside']) or 'none'}",
        "  everything is even" if found["even"] else "  NOT EVEN:",
        *(f"    {each}" for each in found["wrong"][:20]),
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    os.environ.setdefault("NO_PROXY", "127.0.0.1")
    found = asyncio.run(run(lambda text: print(text, file=sys.stderr), seconds=options.seconds))
    print(shown(found))
    return 0 if found.get("even", True) else 1


if __name__ == "__main__":
    sys.exit(main())
