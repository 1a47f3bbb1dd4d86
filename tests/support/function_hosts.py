"""Function hosts as programs of their own, on one Azurite, and callers that come in crowds."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp

from tests.support.programs import Program, program
from tests.unit.upstream.test_sdp import GOOD

SECRET = "the secret of the broker in tests"


def principal(user: str, *roles: str) -> dict[str, str]:
    content = {
        "identityProvider": "aad",
        "userId": user,
        "userDetails": user,
        "userRoles": ["anonymous", "authenticated", *roles],
    }
    return {"x-ms-client-principal": base64.b64encode(json.dumps(content).encode()).decode()}


@dataclass(frozen=True)
class Hosts:
    programs: list[Program]
    session: aiohttp.ClientSession
    start: Callable[[], Awaitable[Program]]

    async def start_another(self) -> None:
        """One more host, the last of `programs`."""
        self.programs.append(await self.start())

    async def connect(self, number: int, user: str) -> aiohttp.ClientResponse:
        """Starts a call of `user` on the host whose turn it is."""
        host = self.programs[number % len(self.programs)]
        headers = {**principal(user), "Content-Type": "application/sdp"}
        async with self.session.post(
            f"{host.url}/api/connect", data=GOOD, headers=headers
        ) as response:
            response.said = await response.text()  # type: ignore[attr-defined]
            return response

    async def connect_all(self, users: Iterable[str]) -> list[aiohttp.ClientResponse]:
        """All at once."""
        return await asyncio.gather(
            *(self.connect(number, user) for number, user in enumerate(users))
        )

    async def hang_up(self, response: aiohttp.ClientResponse, user: str) -> int:
        """On a host that need not be the one that started the call."""
        place = response.headers["Location"] + "/hangup"
        host = self.programs[hash(place) % len(self.programs)]
        async with self.session.post(host.url + place, headers=principal(user)) as answer:
            return answer.status


@asynccontextmanager
async def hosts(number: int, endpoint: str, settings: Mapping[str, str]) -> AsyncIterator[Hosts]:
    """`number` hosts that serve the function app against the model's endpoint at `endpoint`."""
    environment = {
        "REALTIME_ENDPOINT": endpoint,
        "REALTIME_MODEL": "gpt-realtime",
        "REALTIME_API_KEY": "k3y-of-the-resource",
        "CALLER_AUTH": "static-web-apps",
        "BROKER_SECRET": SECRET,
        "LIMIT_STARTS_PER_MINUTE": "0",
        "LIMIT_LIVE_CALLS": "0",
        "OBSERVER": "off",
        **settings,
    }
    async with AsyncExitStack() as stack:

        async def start() -> Program:
            options = ("--port", "0", "--without-local-settings", "--log", "warning")
            host = program("local.host", *options, environment=environment)
            return await stack.enter_async_context(host)

        started = [await start() for _ in range(number)]
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        yield Hosts(started, session, start)


def statuses(responses: Iterable[aiohttp.ClientResponse]) -> Counter[int]:
    return Counter(response.status for response in responses)
