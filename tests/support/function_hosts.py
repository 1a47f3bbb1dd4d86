"""Function hosts as programs on one Azurite, and callers that come all at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp

from tests.support.app_settings import app_settings
from tests.support.call_location import call_path
from tests.support.offers import OFFER
from tests.support.principals import signed_in
from tests.support.programs import Program, program


@dataclass(frozen=True)
class Hosts:
    """Running hosts, and a session to call them with."""

    programs: list[Program]
    session: aiohttp.ClientSession
    start: Callable[[], Awaitable[Program]]

    async def start_another(self) -> None:
        """Starts one more host, the last of `programs`."""
        self.programs.append(await self.start())

    async def connect(self, number: int, user: str) -> aiohttp.ClientResponse:
        """Starts a call of `user` on host `number`, counted round."""
        host = self.programs[number % len(self.programs)]
        headers = {**signed_in(user), "Content-Type": "application/sdp"}
        async with self.session.post(
            f"{host.url}/api/connect", data=OFFER, headers=headers
        ) as response:
            # The response keeps it, so it can be read after it is released.
            await response.read()
            return response

    async def connect_all(self, users: Iterable[str]) -> list[aiohttp.ClientResponse]:
        """Starts a call of each of `users`, all at once."""
        return await asyncio.gather(
            *(self.connect(number, user) for number, user in enumerate(users))
        )

    async def hang_up(self, response: aiohttp.ClientResponse, user: str) -> int:
        """Hangs up on any host, not always the one that started the call; returns the status."""
        place = call_path(response) + "/hangup"
        host = self.programs[hash(place) % len(self.programs)]
        async with self.session.post(host.url + place, headers=signed_in(user)) as answer:
            return answer.status


@asynccontextmanager
async def hosts(number: int, endpoint: str, settings: Mapping[str, str]) -> AsyncIterator[Hosts]:
    """`number` hosts that serve the function app against the model's endpoint at `endpoint`."""
    environment = app_settings(endpoint, **{"CALLER_AUTH": "static-web-apps", **settings})
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
