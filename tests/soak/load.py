"""The people of a soak: what they ask the hosts, one thing after another, each request booked."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp

from tests.soak.account import Account, Request
from tests.soak.hosts import Host

CALLERS = 12
PATIENCE = aiohttp.ClientTimeout(total=60)
SDP = {"Content-Type": "application/sdp"}


def principal(user: str, *roles: str) -> dict[str, str]:
    """The header by which Static Web Apps says who is signed in."""
    content = {
        "identityProvider": "aad",
        "userId": user,
        "userDetails": user,
        "userRoles": ["anonymous", "authenticated", *roles],
    }
    return {"x-ms-client-principal": base64.b64encode(json.dumps(content).encode()).decode()}


ADMIN = principal("soak-admin", "admin")


def numbered(offer: str, number: int) -> str:
    """The offer with that session id, by which its call is known (RFC 8866, 5.2)."""
    return re.sub(r"(?m)^o=(\S+) \d+ ", rf"o=\1 {number} ", offer, count=1)


@dataclass(frozen=True, slots=True)
class Got:
    """What came back."""

    request: Request
    text: str = ""
    place: str = ""


@dataclass
class Load:
    """Sends requests to hosts and books what comes back. `offer` is one that nobody connects to."""

    account: Account
    session: aiohttp.ClientSession
    hosts: list[Host]
    offer: str
    given: list[tuple[str, str, float]] = field(default_factory=list)
    """Who was given which call, and when."""

    async def ask(
        self,
        kind: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        offer: str | None = None,
        host: Host | None = None,
    ) -> Got:
        """One request, to a host of its own choice unless one is named."""
        host = host or random.choice(self.hosts)
        request = self.account.send(kind, host.number, time.monotonic())
        body = numbered(offer, request.number) if offer is not None else None
        try:
            async with self.session.request(
                method, host.url + path, headers=headers, data=body, timeout=PATIENCE
            ) as answer:
                text = await answer.text()
                request.status = answer.status
                place = answer.headers.get("Location", "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            request.error = type(error).__name__
            return Got(request)
        finally:
            request.ended = time.monotonic()
        if request.status >= 400:
            try:
                request.code = str(json.loads(text)["code"])
            except (ValueError, KeyError, TypeError):
                request.code = "(no problem)"
        return Got(request, text, place)

    async def connect(
        self, user: str, offer: str = "", kind: str = "connect", host: Host | None = None
    ) -> Got:
        """Starts a call of that user."""
        got = await self.ask(
            kind, "POST", "/api/connect", {**principal(user), **SDP}, offer or self.offer, host
        )
        if got.place:
            self.given.append((user, got.place, time.monotonic()))
        return got

    async def hang_up(self, user: str, place: str) -> Got:
        return await self.ask("hang up", "POST", f"{place}/hangup", principal(user))

    async def caller(self, user: str, until: float) -> None:
        """One person, until then."""
        me = principal(user)
        mine: list[str] = []
        while time.monotonic() < until:
            dice = random.random()
            if dice < 0.45 or not mine:
                if place := (await self.connect(user)).place:
                    mine.append(place)
            elif dice < 0.70:
                await self.hang_up(user, mine.pop(0))
            elif dice < 0.80:
                await self.ask("look", "GET", random.choice(mine), me)
            elif dice < 0.87:
                await self.ask("token", "POST", "/api/token", principal(f"{user}-key"))
            elif dice < 0.91:
                await self.connect(user, self.offer.replace("m=audio", "m=video"), "broken offer")
            elif dice < 0.94:
                await self.ask("nobody", "POST", "/api/connect", SDP, self.offer)
            elif dice < 0.97:
                foreign = {**me, **SDP, "Origin": "https://elsewhere.example"}
                await self.ask("foreign page", "POST", "/api/connect", foreign, self.offer)
            else:
                await self.ask("list", "GET", "/api/calls?limit=20", ADMIN)
            await asyncio.sleep(random.uniform(0.05, 0.2))

    async def look_through(self) -> None:
        """An admin goes through the whole list of calls."""
        before: str | None = ""
        while before is not None:
            path = "/api/calls?limit=200" + (f"&before={before}" if before else "")
            got = await self.ask("list", "GET", path, ADMIN)
            before = json.loads(got.text)["next"] if got.request.status == 200 else None

    async def warm_up(self, host: Host, width: int) -> None:
        """So many at once as there are at the busiest moment, then quiet."""
        users = [f"warm-{host.number}-{number}" for number in range(width)]
        calls = await asyncio.gather(*(self.connect(user, host=host) for user in users))
        for path in ("/api/calls?limit=20", "/api/calls?limit=21"):
            await self.ask("list", "GET", path, ADMIN, host=host)
        await asyncio.gather(
            *(
                self.ask("hang up", "POST", f"{got.place}/hangup", principal(user), host=host)
                for user, got in zip(users, calls, strict=True)
                if got.place
            )
        )
