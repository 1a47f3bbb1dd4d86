"""Simulated callers: what they ask of the hosts, one request after another, each in the journal."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp

from tests.soak.hosts import Host
from tests.soak.journal import UPSTREAM_HOST, Journal, SentRequest
from tests.support.call_location import call_path
from tests.support.principals import signed_in

CALLERS = 12
PATIENCE = timedelta(seconds=60)
SDP = {"Content-Type": "application/sdp"}
ADMIN = signed_in("soak-admin", "admin")


def numbered(offer: str, number: int) -> str:
    """The offer with that session id, which identifies its call (RFC 8866, 5.2)."""
    return re.sub(r"(?m)^o=(\S+) \d+ ", rf"o=\1 {number} ", offer, count=1)


@dataclass(frozen=True, slots=True)
class Answer:
    request: SentRequest
    text: str = ""
    location: str = ""

    def json(self) -> dict[str, str]:
        """A JSON object in the answer, whose values are text where it matters."""
        return dict(json.loads(self.text))


@dataclass(frozen=True, slots=True)
class StartedCall:
    """A call that was answered at that `time`; `number` is its request's."""

    user: str
    location: str
    time: float
    number: int


@dataclass
class SimulatedCallers:
    """Sends requests to hosts and journals the answers. `offer` is one that nobody connects to."""

    journal: Journal
    session: aiohttp.ClientSession
    hosts: list[Host]
    offer: str
    started: list[StartedCall] = field(default_factory=list)
    hung_up: set[str] = field(default_factory=set)
    """The locations of calls that their callers hung up, or tried to."""

    async def send_request(
        self,
        kind: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        offer: str | None = None,
        host: Host | int | None = None,
        *,
        user: str = "",
        content: Any = None,
        patience: timedelta = PATIENCE,
    ) -> Answer:
        """One request, to a random host unless one is named, or with UPSTREAM_HOST to the URL in
        `path`. `user` is who starts a call or gets a key; `content` is a JSON body."""
        host = random.choice(self.hosts) if host is None else host
        number, base = (host, "") if isinstance(host, int) else (host.number, host.url)
        request = self.journal.add_request(kind, number, time.monotonic(), user)
        body = numbered(offer, request.number) if offer is not None else None
        limit = aiohttp.ClientTimeout(total=patience.total_seconds())
        try:
            async with self.session.request(
                method, base + path, headers=headers, data=body, json=content, timeout=limit
            ) as answer:
                text = await answer.text()
                request.status = answer.status
                location = call_path(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            request.error = type(error).__name__
            return Answer(request)
        finally:
            request.ended = time.monotonic()
        if request.status >= 400 and number != UPSTREAM_HOST:
            try:
                request.code = str(json.loads(text)["code"])
            except (ValueError, KeyError, TypeError):
                request.code = "(no problem)"
        return Answer(request, text, location)

    async def start_call(
        self, user: str, offer: str = "", kind: str = "connect", host: Host | None = None
    ) -> Answer:
        headers = {**signed_in(user), **SDP}
        offer = offer or self.offer
        answer = await self.send_request(
            kind, "POST", "/api/connect", headers, offer, host, user=user
        )
        self.note_started(user, answer)
        return answer

    def note_started(self, user: str, answer: Answer) -> None:
        if answer.location:
            call = StartedCall(user, answer.location, time.monotonic(), answer.request.number)
            self.started.append(call)

    async def hang_up(self, user: str, location: str, host: Host | None = None) -> Answer:
        self.hung_up.add(location)
        path = f"{location}/hangup"
        return await self.send_request("hang up", "POST", path, signed_in(user), host=host)

    async def list_calls(self, query: str, host: Host | None = None) -> Answer:
        return await self.send_request("list", "GET", f"/api/calls?{query}", ADMIN, host=host)

    async def run_caller(self, user: str, until: float) -> None:
        """One person, until then."""
        me = signed_in(user)
        mine: list[str] = []
        while time.monotonic() < until:
            dice = random.random()
            if dice < 0.45 or not mine:
                if location := (await self.start_call(user)).location:
                    mine.append(location)
            elif dice < 0.70:
                await self.hang_up(user, mine.pop(0))
            elif dice < 0.80:
                await self.send_request("look up", "GET", random.choice(mine), me)
            elif dice < 0.87:
                key = f"{user}-key"
                await self.send_request("token", "POST", "/api/token", signed_in(key), user=key)
            elif dice < 0.97:
                await self.send_bad_request(user, dice)
            else:
                await self.list_calls("limit=20")
            await asyncio.sleep(random.uniform(0.05, 0.2))

    async def send_bad_request(self, user: str, dice: float) -> None:
        if dice < 0.91:
            offer = self.offer.replace("m=audio", "m=video")
            await self.start_call(user, offer, "invalid offer")
        elif dice < 0.94:
            await self.send_request("not signed in", "POST", "/api/connect", SDP, self.offer)
        else:
            headers = {**signed_in(user), **SDP, "Origin": "https://elsewhere.example"}
            await self.send_request("foreign origin", "POST", "/api/connect", headers, self.offer)

    async def list_all_calls(self) -> None:
        """An admin pages through the whole list."""
        before: str | None = ""
        while before is not None:
            answer = await self.list_calls("limit=200" + (f"&before={before}" if before else ""))
            before = json.loads(answer.text)["next"] if answer.request.status == 200 else None

    async def warm_up(self, host: Host, width: int) -> None:
        """As many requests at once as in the busiest moment, then none."""
        users = [f"warm-{host.number}-{number}" for number in range(width)]
        calls = await asyncio.gather(*(self.start_call(user, host=host) for user in users))
        for limit in (20, 21):
            await self.list_calls(f"limit={limit}", host)
        await asyncio.gather(
            *(
                self.hang_up(user, answer.location, host)
                for user, answer in zip(users, calls, strict=True)
                if answer.location
            )
        )
